# SPDX-License-Identifier: Apache-2.0
"""The limits of src/base/limits.h as limits.LIMIT_X, and a program in which some are lower."""
import re

import pytest

import serving

_text = (serving.TOP / "src/base/limits.h").read_text()
for _name, _value in re.findall(r"#define (LIMIT_\w+)\s+(?:\\\s*)?(?:LOWERABLE\(\w+,\s*(?:\\\s*)?)?(?:INT64_C\()?(\d+)", _text):
    globals()[_name] = int(_value)

LOWERABLE = re.findall(r"LOWERABLE\((\w+),", _text)
COMPILED_IN = b"VITRINE_LIMITS" in serving.PROGRAM.read_bytes()


def lowered(**limits):
    """The environment for a program with these limits: lowered(JSON_OUTPUT=1000). Skips the test where the program was
    built without fault points."""
    if not COMPILED_IN:
        pytest.skip("built without fault points")
    for name, value in limits.items():
        assert name in LOWERABLE and value < globals()["LIMIT_" + name], name
    return {"VITRINE_LIMITS": ",".join(f"{name}={value}" for name, value in limits.items())}
