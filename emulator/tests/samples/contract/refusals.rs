//! CT7 and CT8: what a refusal looks like.

use emulator::Emulator;
use serde_json::Value;

use super::{anew, each_sample, entra_calls, first_endpoint, graph_calls, refused, signed_in};
use crate::support::{Outcome, World};

/// The codes of Entra ID with advice, but those that mean "try again later", which would take seconds.
#[rustfmt::skip] // a list of numbers
const CODES: &[u32] = &[
    16000, 70011, 28002, 28003, 28000, 700022, 700023, 50001, 500011, 50011, 50012, 700024, 700027, 700030, 50020,
    50034, 50053, 50055, 50144, 50056, 50057, 50058, 900023, 50059, 50128, 90019, 50072, 50074, 50076, 50078, 50079,
    50158, 50097, 50131, 53000, 53001, 50105, 50126, 50132, 50133, 50173, 501481, 50147, 501491, 50194, 50196, 50199,
    53003, 530032, 54005, 65001, 65004, 65005, 650052, 650056, 650057, 70000, 70008, 700082, 700084, 70043, 700005,
    70001, 7000112, 70002, 7000215, 70003, 700016, 7000216, 7000218, 7000222, 700025, 700054, 70005, 90002, 90014,
    900144, 90023, 9002313, 90010, 9001023, 9002332, 9002326, 9002327, 90094, 90095, 901002, 1002012,
];

/// A refusal as the sample tells it: the lines from the one that names the error on.
#[track_caller]
fn refusal<'o>(outcome: &'o Outcome, sample: &str, error: &str) -> Vec<&'o str> {
    let first = refused(sample, error);
    outcome.fails(1, &[&first]).says_times(1, &first);
    let begin = outcome.stderr.find(&first).unwrap();
    outcome.stderr[begin..].lines().collect()
}

/// A run that is refused at the sample's first question to Entra ID by this fault.
fn refused_run(emulator: &Emulator, sample: &'static str, fault: &str) -> Outcome {
    println!("{sample} {fault}");
    anew(emulator);
    let endpoint = first_endpoint(sample);
    emulator.fault(&format!("{endpoint}:{fault}")).unwrap();
    World::at(emulator, sample).run()
}

#[test]
fn ct7_each_code_has_one_line_of_advice() {
    each_sample(|emulator, sample| {
        for code in CODES {
            // The number stands in a list, or only in the words.
            let words = format!("AADSTS{code}: The words.\r\nTrace ID: 1\r\nCorrelation ID: 2");
            let answer = serde_json::json!({
                "error": "some_error",
                "error_description": words,
                "error_codes": [code],
                "correlation_id": "an-id",
            });
            let outcome = refused_run(emulator, sample, &format!("body=400 {answer}"));
            let lines = refusal(&outcome, sample, "some_error");
            assert_eq!(
                lines[1..3],
                [
                    &format!(
                        "error_description: AADSTS{code}: The words. Trace ID: 1 Correlation ID: 2"
                    ),
                    "correlation_id: an-id"
                ]
            );
            assert!(
                lines[3].contains(" (docs/troubleshooting.md#"),
                "{lines:#?}"
            );
            // Consent is the one cause where more can be said: where to give it.
            let more = match (sample, code) {
                ("username-password", 65001) => 2,
                _ => 0,
            };
            assert_eq!(lines.len(), 4 + more, "{lines:#?}");
            assert_eq!(entra_calls(emulator).len(), 1);
        }
    });
}

#[test]
fn ct7_the_correlation_id_is_that_of_the_request() {
    let codes = [50126, 7000215, 700016, 90002];
    each_sample(|emulator, sample| {
        for code in codes {
            let outcome = refused_run(emulator, sample, &format!("aadsts={code}"));
            let call = entra_calls(emulator).remove(0);
            let id = call.header("client-request-id").unwrap();
            outcome.fails(1, &[&format!("\nerror_description: AADSTS{code}: ")]);
            outcome.says_times(1, &format!("\ncorrelation_id: {id}\n"));
        }
        // An answer without one: then it is the id that was sent.
        let outcome = refused_run(emulator, sample, r#"body=400 {"error":"unheard_of"}"#);
        let call = entra_calls(emulator).remove(0);
        let id = format!(
            "correlation_id: {}",
            call.header("client-request-id").unwrap()
        );
        let lines = refusal(&outcome, sample, "unheard_of");
        assert_eq!(
            lines[1..],
            ["error_description: ", &id],
            "no advice is known"
        );
    });
}

#[test]
fn ct7_an_error_in_an_answer_of_any_status() {
    each_sample(|emulator, sample| {
        for status in [200, 201, 400, 401, 403, 404, 418] {
            let fault = format!(r#"body={status} {{"error":"invalid_grant","access_token":"x"}}"#);
            let outcome = refused_run(emulator, sample, &fault);
            let lines = refusal(&outcome, sample, "invalid_grant");
            assert_eq!(lines.len(), 4, "{lines:#?}");
            assert_eq!(entra_calls(emulator).len(), 1);
        }
        // The same where the token itself is asked for.
        println!("{sample} token");
        anew(emulator);
        emulator.fault("token:error-200=unheard_of").unwrap();
        let outcome = World::at(emulator, sample).run();
        refusal(&outcome, sample, "unheard_of");
    });
}

#[test]
fn ct7_an_answer_that_is_no_oauth_is_told_by_its_status() {
    let rows = [
        ("html", "200 OK"),
        ("empty", "200 OK"),
        ("body={}", "200 OK"),
        ("body=[]", "200 OK"),
        ("body=null", "200 OK"),
        (r#"body={"access_token":{"hush":1}}"#, "200 OK"),
        ("status-400-html", "400 Bad Request"),
        ("status-403-html", "403 Forbidden"),
        ("status-407-html", "407 Proxy Authentication Required"),
        ("body=404 {}", "404 Not Found"),
        (r#"body=400 {"error":5}"#, "400 Bad Request"),
        (r#"body=400 {"error":{"code":"x"}}"#, "400 Bad Request"),
    ];
    each_sample(|emulator, sample| {
        for (fault, status) in rows {
            let outcome = refused_run(emulator, sample, fault);
            let said = format!("The sign-in service answered {status} without OAuth JSON.\n");
            outcome.fails(1, &[&said, "(docs/troubleshooting.md#"]);
            outcome.says_times(0, "hush").says_times(0, "html");
            assert_eq!(entra_calls(emulator).len(), 1);
        }
    });
}

/// What would break lines, or act on a terminal.
#[track_caller]
fn is_harmless(outcome: &Outcome) {
    let odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(
                c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            )
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!outcome.stderr.contains(odd), "{outcome:#?}");
}

/// Every character that means trouble, in JSON.
const TROUBLE: &str =
    r"a\r\nb\tc\u0000\u001b[31md\u0007\u007f\u009b\u061c\u200e\u202e\u2066\u2069\u2028e\u2029f";

#[test]
fn ct7_texts_from_a_server_go_on_one_harmless_line() {
    each_sample(|emulator, sample| {
        let answer = ["error", "error_description", "correlation_id"]
            .map(|name| format!(r#""{name}":"{TROUBLE}""#))
            .join(",");
        let outcome = refused_run(emulator, sample, &format!("body=400 {{{answer}}}"));
        let lines = refusal(&outcome, sample, "a b c[31md e f");
        assert_eq!(
            lines[1..],
            [
                "error_description: a b c[31md e f",
                "correlation_id: a b c[31md e f"
            ]
        );
        is_harmless(&outcome);

        let outcome = refused_run(emulator, sample, "crlf");
        let lines = refusal(&outcome, sample, "invalid_grant");
        assert_eq!(lines.len(), 4, "{lines:#?}");
        is_harmless(&outcome);
    });
}

#[test]
fn ct7_texts_from_a_server_have_at_most_2000_characters() {
    each_sample(|emulator, sample| {
        for (letter, count, shown) in [("x", 2000, 2000), ("x", 2001, 2000), ("日", 9000, 2000)] {
            let text = letter.repeat(count);
            let fault = format!(r#"body=400 {{"error":"e","error_description":"{text}"}}"#);
            let outcome = refused_run(emulator, sample, &fault);
            let lines = refusal(&outcome, sample, "e");
            let text = lines[1].strip_prefix("error_description: ").unwrap();
            assert_eq!(text.chars().count(), shown);
        }
    });
}

/// A run whose call to Graph is spoilt by this fault.
fn refused_call(emulator: &Emulator, world: &World, fault: &str) -> Outcome {
    println!("{fault}");
    anew(emulator);
    emulator.fault(&format!("graph:{fault}")).unwrap();
    let outcome = world.run();
    assert_eq!(graph_calls(emulator).len(), 1, "{outcome:#?}");
    outcome
}

/// What stands between "Content:" and the line of advice.
#[track_caller]
fn content(outcome: &Outcome) -> &str {
    let (_, rest) = outcome.stderr.split_once("\nContent: ").unwrap();
    let (content, advice) = rest.trim_end().rsplit_once('\n').unwrap();
    assert!(
        advice.contains(" (docs/troubleshooting.md#"),
        "{outcome:#?}"
    );
    content
}

#[test]
fn ct8_a_refused_call() {
    #[rustfmt::skip] // one line per row
    let rows = [
        ("status-400", "400 Bad Request", "BadRequest", "#graph-bad-request"),
        ("unauthorized", "401 Unauthorized", "InvalidAuthenticationToken", "#graph-unauthorized"),
        ("status-403", "403 Forbidden", "Authorization_RequestDenied", "#graph-forbidden"),
        ("status-404", "404 Not Found", "Request_ResourceNotFound", "#graph-not-found"),
        ("status-429=999", "429 Too Many Requests", "TooManyRequests", "#graph-throttled"),
        ("status-503=999", "503 Service Unavailable", "ServiceUnavailable", "#outage"),
        ("body=409 {\"error\":{\"code\":\"Conflict\"}}", "409 Conflict", "Conflict", "#"),
    ];
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for (fault, status, code, advice) in rows {
            let outcome = refused_call(emulator, &world, fault);
            let said = format!("Failed to call the Web Api: {status}\nContent: {{");
            outcome.fails(1, &[&said, advice]);
            let json: Value = serde_json::from_str(content(&outcome)).unwrap();
            assert_eq!(json["error"]["code"], code);
        }
    });
}

#[test]
fn ct8_an_answer_that_is_no_json() {
    let long = format!("body=403 <p>{}</p>", "x ".repeat(5000));
    let script = "body=403 <style>p{}</style><script>alert(1)</script><b>No</b>, <i>no</i>";
    let rows = [
        (
            "status-403-html",
            "403 Forbidden",
            "403 Forbidden Forbidden The gateway says: 403 .",
        ),
        ("html", "200 OK", "200 OK OK The gateway says: 200 ."),
        ("empty", "200 OK", ""),
        ("body=[1]", "200 OK", "[1]"),
        (
            "body=403 plain\r\ntext \u{1b}[31m",
            "403 Forbidden",
            "plain text [31m",
        ),
        (script, "403 Forbidden", "No , no"),
        (&long, "403 Forbidden", &"x ".repeat(1000)[..999]),
    ];
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        for (fault, status, text) in rows {
            let outcome = refused_call(emulator, &world, fault);
            outcome.fails(
                1,
                &[&format!("Failed to call the Web Api: {status}\nContent: ")],
            );
            let content = content(&outcome);
            match fault == long {
                // The last of the 1000 characters says that there was more.
                true => assert_eq!((&content[..999], content.chars().count()), (text, 1000)),
                false => assert_eq!(content, text),
            }
            is_harmless(&outcome);
        }
    });
}

#[test]
fn ct8_json_with_harmful_characters() {
    each_sample(|emulator, sample| {
        let world = signed_in(emulator, sample);
        let answer = format!(r#"{{"error":{{"{TROUBLE}":"{TROUBLE}"}}}}"#);
        for fault in ["crlf", &format!("body=403 {answer}")] {
            let outcome = refused_call(emulator, &world, fault);
            outcome.fails(1, &["403 Forbidden"]);
            let json: Value = serde_json::from_str(content(&outcome)).unwrap();
            assert!(json["error"].is_object());
            is_harmless(&outcome);
        }
    });
}
