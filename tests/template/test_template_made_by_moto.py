"""Every combination of made and given parts is created by moto, as far as it has the resources."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import aws_client
from tests.template.moto_stacks import MADE, MotoStacks
from tests.template.test_template_combinations import OPTIONS, Templates, combinations, given

if TYPE_CHECKING:
    from tests.template.moto_stacks import Made

TABLES = {
    f"{name}TableName": f"made-{name}"
    for name in ("PaymentFailures", "RealtimeConnections", "RealtimeTickets")
}
"""Others than those that the embedded AWS has from the start."""


@pytest.fixture
def uploaded(aws_url: str) -> str:
    """The embedded AWS, in which the code of the functions is uploaded."""
    s3 = aws_client("s3", aws_url)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    location = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration=location)
    s3.put_object(Bucket="bucket", Key="key", Body=code.getvalue())
    return aws_url


def network(ec2: Any) -> dict[str, str]:  # noqa: ANN401 - a client
    """Create a network and return the parameters that name it."""
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24")["Subnet"]["SubnetId"]
        for n in range(2)
    ]
    group = ec2.create_security_group(GroupName="given", Description="given", VpcId=vpc)["GroupId"]
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets), "SecurityGroupIds": group}


@combinations
@pytest.mark.parametrize("options", OPTIONS, ids=["smallest", "largest"])
def test_stacks_of_a_combination_are_created(
    expanded: Templates, uploaded: str, parts: tuple[str, ...], options: dict[str, str]
) -> None:
    ec2 = aws_client("ec2", uploaded)
    values = given(parts) | options | TABLES
    if "network" in parts:
        values |= network(ec2)
    stacks = MotoStacks(aws_client("cloudformation", uploaded), expanded)

    outputs = stacks.create("template", values)

    for name, made in stacks.made.items():
        assert Counter(made.resources) == expected(made), name
        assert not [one for one in made.outputs.values() if "${" in one or one == "None"], name
        assert made.outputs.keys() == made.combination.outputs.keys(), name
    configurations = aws_client("lambda", uploaded).list_functions(MaxItems=100)["Functions"]
    infrastructure = stacks.made["made-Infrastructure"].outputs
    for one in configurations:
        variables = one["Environment"]["Variables"]
        assert not [key for key, value in variables.items() if "${" in str(value)], one[
            "FunctionName"
        ]
        assert outputs["DatabaseEndpoint"] in variables["DATABASE_URL"]
        assert one["VpcConfig"]["SubnetIds"] == infrastructure["SubnetIds"].split(",")
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    zones = 2 if options["HighAvailability"] == "true" else 1
    assert len(gateways) == (0 if "network" in parts else zones)


def expected(made: Made) -> Counter[str]:
    """Return the types of the resources that moto should have made."""
    return Counter(
        one["Type"] for one in made.combination.resources.values() if one["Type"] in MADE
    )
