"""Print template.yaml as the SAM transform of CloudFormation leaves it, as JSON.

Run by the Python of .venv-sam: the translator's pins do not fit the other environment.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

UPLOADED = "s3://bucket/key"  # the transform runs after the upload and accepts nothing else


def expand(template: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudFormation template. Raises InvalidDocumentException with every mistake."""
    template["Globals"]["Function"]["CodeUri"] = UPLOADED
    template["Resources"]["SchedulerLayer"]["Properties"]["ContentUri"] = UPLOADED
    session = SimpleNamespace(region_name="us-east-1")
    translator = Translator({}, Parser(), boto_session=session)
    expanded: dict[str, Any] = translator.translate(template, parameter_values={})
    return expanded


if __name__ == "__main__":
    json.dump(expand(yaml_parse(Path(sys.argv[1]).read_text())), sys.stdout)
