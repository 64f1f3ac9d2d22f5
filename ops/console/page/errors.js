// Errors of servers as the page shows them: what is wrong, in the language of the page. The panel
// "Health" also shows what the server said.
import { duration } from "./format.js"
import { t } from "./language.js"

const KNOWN = {
  "cannot reach the database": () => t("cannot reach the database"),
  "cannot reach the broker": () => t("cannot reach the broker"),
  "cannot reach the operations function": () => t("cannot reach the operations function"),
  "cannot read the table of failed payments": () => t("cannot read the table of failed payments"),
  "the token is missing or old; open the address that the command has printed":
    () => t("the token is missing or old; open the address that the command has printed"),
  "your AWS credentials have expired": () => t("your AWS credentials have expired; log in again (aws sso login), and start the console again"),
}

// Such an error goes on with the reason.
export const known = error => KNOWN[Object.keys(KNOWN).find(one => error.startsWith(one))]

export function brief(error) {
  const seconds = /^no answer within ([\d.]+) s$/.exec(error)?.[1]
  return seconds ? t("no answer within {time}", { time: duration(Number(seconds)) }) : (known(error)?.() ?? error)
}

// Names the server, unless the error does.
export function ofServer(server, error) {
  const text = brief(error)
  return known(error) ? text.charAt(0).toUpperCase() + text.slice(1) : t("{server}: {error}", { server, error: text })
}
