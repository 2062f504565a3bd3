"""The time zone data is embedded; local time is UTC."""

import datetime
import time
import zoneinfo

paris = zoneinfo.ZoneInfo("Europe/Paris")
print(datetime.datetime(2026, 7, 1, 12, tzinfo=paris).astimezone(datetime.UTC).isoformat())
print(len(zoneinfo.available_timezones()) > 590, time.tzname)
try:
    zoneinfo.ZoneInfo("Mars/Olympus")
except zoneinfo.ZoneInfoNotFoundError as error:
    print(error)
