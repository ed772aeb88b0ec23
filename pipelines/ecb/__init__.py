"""European Central Bank: the euro's reference rates, as it publishes them on its working days.

Belongs here: what an organisation may say of them, and the stream that it gets. Does not: requests and files
(`tables`), what a rate means (`rates`), which rate holds on a day (`kr_definitions.rates`).

No account is needed. The rates are of the euro against some thirty currencies; the Colombian peso, the Chilean, the
Argentine and most others are not among them: a company that needs those keeps a file of its own
(https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/html/index.en.html).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from kr_definitions.organisation import Currency
from pipelines.ecb.rates import reference_rates
from pipelines.source import Account, Options, Stream

__all__ = ["ECB", "EcbOptions", "EuropeanCentralBank"]


class EcbOptions(Options):
    """Which currencies' rates are read, in `organisation.yaml`.

    sources:
      bce:
        kind: ecb
        options:
          currencies: [USD, GBP]
    """

    currencies: Annotated[list[Currency], Field(min_length=1)]

    @field_validator("currencies")
    @classmethod
    def _are_others_than_the_euro(cls, currencies: list[str]) -> list[str]:
        if "EUR" in currencies:
            raise ValueError("the rates are of the euro | Name the other currencies alone")
        if len(set(currencies)) < len(currencies):
            raise ValueError("a currency twice | Name each once")
        return currencies


class EuropeanCentralBank:
    """The connector."""

    kind = "ecb"
    options = EcbOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The rates."""
        return [reference_rates(account, options.currencies)]


ECB = EuropeanCentralBank()
