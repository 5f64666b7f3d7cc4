"""ECN: congestion bits taken out or set."""

from planner.netfilter.condition import Field
from planner.netfilter.effect import Effect, OpaqueTarget, SetBits
from planner.netfilter.extension import Context, Option, Target, Use
from planner.netfilter.kinds import flag, integer

TCP = ("ecn-tcp-remove", "ecn-tcp-ece", "ecn-tcp-cwr")


def effect(use: Use, context: Context) -> Effect:
    """The bits of TCP, or those of the traffic class."""
    values = {setting.name: setting.value for setting in use.settings}
    if "ecn-tcp-remove" in values:
        return SetBits(Field.TCP_FLAGS, 0, 0xC0)
    mask = (0x40 if "ecn-tcp-ece" in values else 0) | (0x80 if "ecn-tcp-cwr" in values else 0)
    value = values.get("ecn-tcp-ece", 0) << 6 | values.get("ecn-tcp-cwr", 0) << 7
    if "ecn-ip-ect" in values:
        return (
            OpaqueTarget(EXTENSION.text(use, context.family))
            if mask
            else SetBits(Field.TOS, values["ecn-ip-ect"], 3)
        )
    return SetBits(Field.TCP_FLAGS, value, mask)


EXTENSION = Target(
    name="ECN",
    families=("ip",),
    options=(
        Option("ecn-tcp-remove", flag()),
        Option("ecn-tcp-ece", integer(0, 1)),
        Option("ecn-tcp-cwr", integer(0, 1)),
        Option("ecn-ip-ect", integer(0, 3)),
    ),
    any_of=(*TCP, "ecn-ip-ect"),
    exclusive=(("ecn-tcp-remove", "ecn-tcp-ece"), ("ecn-tcp-remove", "ecn-tcp-cwr")),
    protocols=(6,),
    effect=effect,
)
