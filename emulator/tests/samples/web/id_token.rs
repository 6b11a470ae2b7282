//! E1 and E26: an ID token with anything wrong about it signs nobody in, and keys may change.

use emulator::faults::openid;

use super::*;
use crate::support::side_by_side;

/// Faults that are none: tokens that are right, a user not met before, and a claim that a token from the token endpoint
/// need not have.
const HARMLESS: [&str; 5] = [
    "wrong-sub",
    "aud-array-one",
    "right-azp",
    "no-c-hash",
    "wrong-c-hash",
];

#[test]
fn e1_no_fault_of_an_id_token_is_overlooked() {
    let names = openid::FAULTS
        .iter()
        .filter(|(endpoint, name, _)| *endpoint == "idtoken" && !name.contains('='))
        .map(|(_, name, _)| (*name).to_owned());
    // Faults by claim: missing ones, and values of another kind.
    let claims = [
        "without=sub",
        "without=iss",
        "without=aud",
        "without=exp",
        "without=iat",
        "without=tid",
        "without=nonce",
        "claim=sub=7",
        "claim=sub=",
        "claim=sub=null",
        "claim=iss=7",
        "claim=aud=[]",
        "claim=aud=null",
        "claim=azp=7",
        "claim=exp=-1",
        "claim=exp=null",
        "claim=exp=99",
        "claim=iat=\"soon\"",
        "claim=iat=99999999999",
        "claim=nbf=99999999999",
        "claim=nbf=[]",
        "claim=tid=contoso.com",
        "claim=tid=ac323c26-a370-4145-a726-2b3a827b2185",
        "claim=nonce=",
        "claim=nonce=7",
        "claim=at_hash=7",
    ]
    .map(str::to_owned);
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut known = Browser::signed_in(&app);
    let session = known.session().map(str::to_owned);
    for fault in names.chain(claims) {
        println!("{fault}");
        let is_harmless = HARMLESS.contains(&fault.as_str());
        emulator.fault(&format!("idtoken:{fault}")).unwrap();
        let mut browser = Browser::new(&app);
        let page = browser.visit("/");
        if is_harmless {
            page.shows(200, "Welcome Contoso Employee!");
            continue;
        }
        page.shows(400, "<h1>Login Failure</h1>")
            .shows(400, "invalid_id_token");
        assert_eq!(browser.session(), None);
        // Who is signed in already stays it.
        emulator.fault(&format!("idtoken:{fault}")).unwrap();
        assert_eq!(known.visit("/login").status, 400);
        assert_eq!(known.session().map(str::to_owned), session);
        assert!(known.is_signed_in());
    }
}

#[test]
fn e1_names_are_shown_as_text() {
    let emulator = emulator();
    let app = App::start(&emulator);
    emulator
        .fault("idtoken:claim=name=<script>alert('x')</script>")
        .unwrap();
    let page = Browser::new(&app).visit("/");
    page.shows(200, "Welcome &#60;script&#62;");
}

#[test]
fn e1_clocks_may_be_two_minutes_apart() {
    let rows = [(-100, 200), (100, 200), (-150 - 3600, 400), (150, 400)];
    side_by_side(&rows, |(offset, status)| {
        let emulator = Emulator::start(Options {
            auto_sign_in: Some(EMPLOYEE.into()),
            clock_offset: *offset,
            ..Options::default()
        })
        .unwrap();
        let app = App::start(&emulator);
        assert_eq!(Browser::new(&app).visit("/").status, *status);
    });
}

#[test]
fn e26_a_new_key_is_fetched_at_once_and_then_not_for_five_minutes() {
    let emulator = emulator();
    let app = App::start(&emulator);
    Browser::signed_in(&app);
    assert_eq!(calls(&emulator, "/keys").len(), 1);

    // Seconds after the first fetch.
    emulator.rotate_keys();
    Browser::signed_in(&app);
    assert_eq!(calls(&emulator, "/keys").len(), 2);

    // Whoever brings tokens of unknown keys does not make the app ask again and again.
    for _ in 0..3 {
        emulator.fault("idtoken:unknown-kid").unwrap();
        assert_eq!(Browser::new(&app).visit("/").status, 400);
    }
    assert_eq!(calls(&emulator, "/keys").len(), 2);
    Browser::signed_in(&app);
}

#[test]
fn e26_a_fetch_that_fails_keeps_the_keys() {
    for fault in [
        "keys:status-400",
        "keys:status-503=121",
        "keys:html",
        "keys:garbage",
        "keys:no-keys",
    ] {
        println!("{fault}");
        let emulator = emulator();
        let app = App::start(&emulator);
        Browser::signed_in(&app);
        emulator.fault(fault).unwrap();
        emulator.fault("idtoken:unknown-kid").unwrap();
        assert_eq!(Browser::new(&app).visit("/").status, 400);
        assert_eq!(calls(&emulator, "/keys").len(), 2);
        Browser::signed_in(&app);
    }
}

#[test]
fn e26_keys_of_which_none_is_good() {
    for fault in ["keys:strange-keys", "keys:wrong-issuer", "keys:no-kid"] {
        println!("{fault}");
        let emulator = emulator();
        let app = App::start(&emulator);
        emulator.fault(&format!("{fault}*always")).unwrap();
        let mut browser = Browser::new(&app);
        assert_eq!(browser.visit("/").status, 400);
        assert_eq!(browser.session(), None);
    }
}

#[test]
#[rustfmt::skip] // one line per row
fn e26_a_code_is_sent_again_only_where_it_was_not_taken_in() {
    // The first answer, and how many redemptions there are in all.
    let rows = [
        ("token:status-429=0", 200, 2),
        ("token:status-503=0", 200, 2),
        ("token:status-500", 502, 1),
        ("token:status-502", 502, 1),
        ("token:status-504", 502, 1),
        ("token:cut", 502, 1),
        ("token:reset", 502, 1),
    ];
    side_by_side(&rows, |(fault, status, times)| {
        let emulator = emulator();
        let app = App::start(&emulator);
        emulator.fault(fault).unwrap();
        assert_eq!(Browser::new(&app).visit("/").status, *status);
        assert_eq!(redemptions(&emulator), *times);
    });
}
