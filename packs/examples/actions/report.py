"""Adds up the sales in data/sales.csv.

The working directory is the pack, so its files are read by relative path,
and modules in lib/ can be imported.
"""

import json
import sys

from sales import by_month, read_sales

params = json.load(sys.stdin)
sales = read_sales("data/sales.csv", region=params.get("region"))
months = by_month(sales)

print(f"{len(sales)} sales read", file=sys.stderr)
report = {
    "total": str(sum(months.values())),
    "best_month": max(months, key=months.__getitem__),
    "by_month": {month: str(amount) for month, amount in months.items()},
}
print(json.dumps(report, indent=2))
