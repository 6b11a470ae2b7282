"""A browser without a screen: it walks sign-in pages as a person would, by their forms alone."""

import os
import sys
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

import requests

USER = os.environ.get("AZURE_USERNAME", "contoso_employee@contoso.com")
PASSWORD = os.environ.get("AZURE_PASSWORD", "Worker#1001")


class Page(HTMLParser):
    """What a person can do on a page: fill its form in, or be sent on after a moment."""

    def __init__(self, html):
        super().__init__()
        self.action = self.forward = None
        self.fields = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = attrs["action"]
        elif tag == "input" and "name" in attrs:
            self.fields[attrs["name"]] = attrs.get("value", "")
        elif tag == "meta" and attrs.get("http-equiv") == "refresh":
            self.forward = attrs["content"].split("URL=", 1)[1]


class Browser:
    """Keeps its cookies, so that a second sign-in in the same browser asks for nothing. `asked` are the fields of the
    forms that it was shown."""

    def __init__(self, user=USER, password=PASSWORD):
        self.session = requests.Session()
        self.answers = {"other_account": user, "password": password}
        self.asked = []

    def visit(self, url, until=None, code=""):
        """Goes where redirects lead and answers each form, up to a page without one.

        `until` is where to stop, as a program's redirect URI that nobody listens at: returns the address with what
        came there, in the query even if it was posted. `code` is what a device shows.
        """
        answers = self.answers | {"user_code": code}
        method, fields = "GET", None
        for _ in range(20):
            if until and url.startswith(until):
                return f"{url}?{urlencode(fields)}" if fields else url
            response = self.session.request(method, url, data=fields, allow_redirects=False)
            response.raise_for_status()
            method, fields = "GET", None
            page = Page(response.text) if "html" in response.headers.get("Content-Type", "") else None
            if response.is_redirect:
                url = urljoin(url, response.headers["Location"])
            elif page and page.forward:
                url = urljoin(url, page.forward)
            elif page and page.action:
                method, url = "POST", urljoin(url, page.action)
                fields = {name: answers.get(name, value) for name, value in page.fields.items()}
                self.asked += fields
            else:
                return response.text
        raise RuntimeError(f"the way does not end, last at {url}")


# As a program: BROWSER="python browser.py %s &" makes this the browser that other programs open.
if __name__ == "__main__":
    Browser().visit(sys.argv[1])
