"""An HTTP request, with the standard library; requests and httpx in lib/ work as well."""

import urllib.request

with urllib.request.urlopen("https://api.github.com/zen", timeout=10) as response:
    print(response.read().decode())
