/** A browser without a screen: it walks sign-in pages as a person would, by their forms alone. */

export const USER = process.env.AZURE_USERNAME ?? "contoso_employee@contoso.com";
export const PASSWORD = process.env.AZURE_PASSWORD ?? "Worker#1001";

/** Keeps its cookies, so that a second sign-in in the same browser asks for nothing. */
export class Browser {
  /** The names of the fields in the forms that it was shown. */
  asked = [];
  #answers;
  #cookies = new Map();

  constructor(user = USER, password = PASSWORD) {
    this.#answers = { other_account: user, password };
  }

  /**
   * Goes where redirects lead and answers each form, up to a page without one: its text.
   *
   * `until` is where to stop, as a program's redirect URI that nobody listens at: this is the address that leads there.
   * `code` is what a device shows.
   */
  async visit(address, { until, code } = {}) {
    const answers = { ...this.#answers, user_code: code };
    let url = new URL(address);
    let form;
    for (let step = 0; step < 20; step++) {
      if (until && url.href.startsWith(until)) {
        return url.href;
      }
      const response = await fetch(url, {
        method: form ? "POST" : "GET",
        body: form,
        headers: { cookie: [...this.#cookies].map((pair) => pair.join("=")).join("; ") },
        redirect: "manual",
      });
      form = undefined;
      for (const cookie of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
        this.#cookies.set(name, value);
      }
      const text = await response.text();
      const action = /<form[^>]* action="([^"]*)"/.exec(text)?.[1];
      if (response.headers.has("location")) {
        url = new URL(response.headers.get("location"), url);
      } else if (!response.ok) {
        throw new Error(`${url}: ${response.status} ${text}`);
      } else if (action) {
        url = new URL(plain(action), url);
        form = new URLSearchParams();
        for (const [input] of text.matchAll(/<input[^>]*>/g)) {
          const name = attribute(input, "name");
          this.asked.push(name);
          form.set(name, answers[name] ?? attribute(input, "value"));
        }
      } else {
        return text;
      }
    }
    throw new Error(`the way does not end, last at ${url}`);
  }
}

function attribute(tag, name) {
  return plain(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

/** Text of the markup in an attribute. */
function plain(markup) {
  const names = { "&amp;": "&", "&quot;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">" };
  return markup.replace(/&(amp|quot|#39|lt|gt);/g, (name) => names[name]);
}

// As a program: BROWSER="node browser.mjs" makes this the browser that other programs open.
if (process.argv[1]?.endsWith("browser.mjs")) {
  await new Browser().visit(process.argv[2]);
}
