"""Evaluation of identity policies: Allow, Deny, wildcards and conditions (IAM User Guide, policy evaluation logic)."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def pattern(text: str, ignore_case: bool = False):
    body = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile(body, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(value, wanted) -> bool:
    return pattern(str(wanted)).fullmatch(str(value)) is not None


def arn_like(value, wanted) -> bool:
    """Each of the six parts by itself, so that `*` does not cross a colon (but the last part takes the rest)."""
    left, right = str(value).split(":", 5), str(wanted).split(":", 5)
    return len(left) == len(right) and all(like(a, b) for a, b in zip(left, right))


def number(test):
    def compare(value, wanted):
        try:
            return test(float(value), float(wanted))
        except ValueError:
            return False

    return compare


OPERATORS = {
    "StringEquals": lambda v, w: str(v) == str(w),
    "StringEqualsIgnoreCase": lambda v, w: str(v).lower() == str(w).lower(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda v, w: str(v).lower() == str(w).lower(),
    "NumericEquals": number(lambda a, b: a == b),
    "NumericLessThan": number(lambda a, b: a < b),
    "NumericLessThanEquals": number(lambda a, b: a <= b),
    "NumericGreaterThan": number(lambda a, b: a > b),
    "NumericGreaterThanEquals": number(lambda a, b: a >= b),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


class UnknownOperator(ValueError):
    """A condition that this evaluator does not know is an error, not a silent allow or deny."""


def listed(value) -> list:
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def lookup(context: dict, key: str):
    """Condition keys do not care for case; the part behind the slash of a tag key does."""
    if key in context:
        return context[key]
    head, slash, tail = key.partition("/")
    for name, value in context.items():
        other, s, rest = name.partition("/")
        if other.lower() == head.lower() and s == slash and rest == tail:
            return value
    return None


def condition_holds(operator: str, key: str, wanted, context: dict) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    value = lookup(context, key)
    if name == "Null":
        return (str(listed(wanted)[0]).lower() == "true") == (value is None or value == [])
    negate = name in NEGATED
    test = OPERATORS.get(NEGATED.get(name, name))
    if test is None:
        raise UnknownOperator(operator)
    if value is None:
        return if_exists or negate or quantifier == "ForAllValues"
    matches = [any(test(v, w) for w in listed(wanted)) for v in listed(value)]
    if quantifier == "ForAllValues":
        return all(m != negate for m in matches)
    if quantifier == "ForAnyValue":
        return any(m != negate for m in matches)
    return not any(matches) if negate else any(matches)


def conditions_hold(statement: dict, context: dict) -> bool:
    return all(
        condition_holds(operator, key, wanted, context)
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, wanted in tests.items()
    )


def action_fits(statement: dict, action: str) -> bool:
    if "NotAction" in statement:
        return not any(pattern(a, True).fullmatch(action) for a in listed(statement["NotAction"]))
    return any(pattern(a, True).fullmatch(action) for a in listed(statement.get("Action", [])))


def resource_fits(statement: dict, arn: str) -> bool:
    if "NotResource" in statement:
        return not any(like(arn, r) for r in listed(statement["NotResource"]))
    return any(like(arn, r) for r in listed(statement.get("Resource", [])))


def decide(statements: list[dict], action: str, arn: str, context: dict) -> tuple[bool, list[dict]]:
    """Whether the action is allowed on the resource, and the statements that decided."""
    fitting = [
        s for s in statements if action_fits(s, action) and resource_fits(s, arn) and conditions_hold(s, context)
    ]
    denied = [s for s in fitting if s.get("Effect") == "Deny"]
    if denied:
        return False, denied
    allowed = [s for s in fitting if s.get("Effect") == "Allow"]
    return bool(allowed), allowed
