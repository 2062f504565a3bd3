"""Sales, as they stand in the pack's data."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Sale:
    month: str
    region: str
    amount: Decimal


def read_sales(path: str, region: str | None = None) -> list[Sale]:
    """The sales in a CSV file, of one region or of all."""
    with open(path, newline="", encoding="utf-8") as file:
        sales = [
            Sale(row["month"], row["region"], Decimal(row["amount"]))
            for row in csv.DictReader(file)
        ]
    return [sale for sale in sales if region in (None, sale.region)]


def by_month(sales: list[Sale]) -> dict[str, Decimal]:
    """The sum of each month, in the order of the months."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for sale in sorted(sales, key=lambda sale: sale.month):
        sums[sale.month] += sale.amount
    return dict(sums)
