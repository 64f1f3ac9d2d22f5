// Validates the AsyncAPI document with the official parser; prints what it finds.

import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const document = await readFile(new URL('../asyncapi.json', import.meta.url), 'utf-8');
const { document: parsed, diagnostics } = await new Parser().parse(document);
const serious = diagnostics.filter((one) => one.severity <= 1); // errors and warnings
for (const one of serious) console.log(`${one.path.join('.')}: ${one.message}`);
if (!parsed || serious.length > 0) process.exit(1);
console.log(`${parsed.messages().all().length} messages, ${parsed.operations().all().length} operations`);
