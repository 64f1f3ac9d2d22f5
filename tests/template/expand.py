"""Prints templates after CloudFormation's transforms, as JSON.

Runs in .venv-sam, because the dependencies of the translator conflict with those of .venv.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samcli.lib.cfn_language_extensions.api import process_template
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

UPLOADED = "s3://bucket/key"  # the transform runs after the upload and accepts only S3 addresses
LAYER = "AWS::Serverless::LayerVersion"


def expand(template: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudFormation template.

    Raises:
        InvalidDocumentException: the template is invalid; lists all errors.
    """
    if template.get("Transform") == "AWS::LanguageExtensions":
        # Parameters have their names as values; without a value, Fn::Sub would stay unresolved.
        # What a false condition leaves out would lose its references.
        names = {name: name for name in template["Parameters"]} | {"Canary": "on"}
        return dict(process_template(template, parameter_values=names))
    if "Transform" not in template:
        return template
    template["Globals"]["Function"]["CodeUri"] = UPLOADED
    for resource in template["Resources"].values():
        if resource["Type"] == LAYER:
            resource["Properties"]["ContentUri"] = UPLOADED
    session = SimpleNamespace(region_name="us-east-1")
    translator = Translator({}, Parser(), boto_session=session)
    expanded: dict[str, Any] = translator.translate(template, parameter_values={})
    return expanded


if __name__ == "__main__":
    paths = sys.argv[1:]
    json.dump({path: expand(yaml_parse(Path(path).read_text())) for path in paths}, sys.stdout)
