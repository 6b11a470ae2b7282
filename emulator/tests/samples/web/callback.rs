//! E14: what the browser brings back, and what an attacker may make it bring.

use super::*;

/// The address with another value of a parameter.
fn with(address: &str, name: &str, value: &str) -> String {
    let old = parameter(address, name).unwrap();
    address.replace(&format!("{name}={old}"), &format!("{name}={value}"))
}

/// The address without a parameter.
fn without(address: &str, name: &str) -> String {
    let old = parameter(address, name).unwrap();
    address.replace(&format!("{name}={old}"), "")
}

#[test]
fn e14_what_was_not_begun_here_is_refused() {
    type Row = (&'static str, fn(&str) -> String, &'static str);
    let rows: [Row; 11] = [
        (
            "unknown state",
            |back| with(back, "state", "unknown"),
            "not begun in this browser",
        ),
        ("no state", |back| without(back, "state"), "no state"),
        ("blank state", |back| with(back, "state", ""), "no state"),
        (
            "huge state",
            |back| with(back, "state", &"x".repeat(4000)),
            "not begun in this browser",
        ),
        (
            "no code",
            |back| without(back, "code"),
            "neither a code nor an error",
        ),
        (
            "blank code",
            |back| with(back, "code", ""),
            "neither a code nor an error",
        ),
        (
            "nothing",
            |back| back.split('?').next().unwrap().to_owned(),
            "no state",
        ),
        (
            "state twice",
            |back| format!("{back}&state=x"),
            "came twice",
        ),
        ("code twice", |back| format!("{back}&code=x"), "came twice"),
        (
            "other parameter twice",
            |back| format!("{back}&x=1&x=1"),
            "came twice",
        ),
        (
            "code and error",
            |back| format!("{back}&error=access_denied"),
            "both a code and an error",
        ),
    ];
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let session = browser.session().map(str::to_owned);
    for (name, change, reason) in rows {
        println!("{name}");
        let back = browser.come_back_from("/login");
        let before = redemptions(&emulator);
        let page = browser.get(&change(&back));
        page.shows(400, reason)
            .shows(400, "<a class=\"action\" href=\"/\"");
        assert_eq!(redemptions(&emulator), before, "{page:#?}");
        assert_eq!(browser.session().map(str::to_owned), session);
        assert!(browser.is_signed_in());
    }
}

#[test]
fn e14_a_state_works_once_and_in_its_own_browser() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    let back = browser.come_back_from("/");

    // Another browser, which may be signed in, gets nothing out of it.
    let mut stranger = Browser::new(&app);
    stranger.get(&back).shows(400, "not begun in this browser");
    assert!(!stranger.is_signed_in());
    let mut signed_in = Browser::signed_in(&app);
    signed_in.get(&back).shows(400, "not begun in this browser");
    assert!(signed_in.is_signed_in());

    // With the cookies of before, the same address a second time.
    let mut thief = browser.clone();
    assert_eq!(browser.get(&back).location(), "/");
    let redeemed = redemptions(&emulator);
    thief.get(&back).shows(400, "It was used before.");
    browser.get(&back).shows(400, "not begun in this browser");
    assert_eq!(redemptions(&emulator), redeemed);
    assert!(browser.is_signed_in());
}

#[test]
fn e14_ten_of_the_same_answer_at_once_redeem_one_code() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    let back = browser.come_back_from("/");
    let tries: Vec<_> = (0..10)
        .map(|_| {
            let (mut browser, back) = (browser.clone(), back.clone());
            std::thread::spawn(move || browser.get(&back).status)
        })
        .collect();
    let statuses: Vec<_> = tries.into_iter().map(|t| t.join().unwrap()).collect();
    let signed_in = statuses.iter().filter(|status| **status == 302).count();
    assert_eq!(signed_in, 1, "{statuses:?}");
    assert_eq!(redemptions(&emulator), 1);
}

#[test]
fn e14_two_tabs_both_end_signed_in() {
    let emulator = emulator();
    let app = App::start(&emulator);
    for second_comes_first in [false, true] {
        let mut browser = Browser::new(&app);
        let mut tabs = [
            (browser.come_back_from("/?tab=1"), "/?tab=1"),
            (browser.come_back_from("/call_api?tab=2"), "/call_api?tab=2"),
        ];
        if second_comes_first {
            tabs.reverse();
        }
        for (back, page) in tabs {
            assert_eq!(browser.get(&back).location(), page);
            assert_ne!(browser.visit(page).status, 302);
            assert!(browser.is_signed_in());
        }
    }
}

#[test]
fn e14_oversized_and_odd_parameters_are_refused() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let session = browser.session().map(str::to_owned);
    let long = "x".repeat(20_000);
    // A code that is too long is the provider's to refuse; everything else does not come so far.
    let back = browser.come_back_from("/login");
    browser
        .get(&with(&back, "code", &long))
        .shows(400, "Login Failure");
    let before = redemptions(&emulator);
    for change in [
        |back: &str| with(back, "state", "%00"),
        |back: &str| with(back, "state", "%ff%fe"),
        |back: &str| with(back, "state", "../../session"),
        |back: &str| back.replace("state=", "STATE="),
        |back: &str| back.replace("state=", "state[]="),
        |back: &str| back.replace("code=", "code%5B%5D="),
        |back: &str| back.replace('&', ";"),
        |back: &str| format!("{back}&{}", "a=b&".repeat(5_000)),
        |back: &str| format!("{back}&st%61te=x"),
        |back: &str| format!("{back}&iss=https%3A%2F%2Flogin.example"),
        |back: &str| back.replace('?', "?state=&"),
    ] {
        let back = change(&browser.come_back_from("/login"));
        println!("{}", &back[..back.len().min(300)]);
        let page = browser.get(&back);
        page.shows(400, "This sign-in cannot go on");
        assert_eq!(redemptions(&emulator), before);
        assert_eq!(browser.session().map(str::to_owned), session);
    }
    // Longer than any request may be.
    let page = browser.get(&format!("/getAToken?state={}", "x".repeat(200_000)));
    assert!([414, 431].contains(&page.status), "{page:#?}");
    assert!(browser.is_signed_in());
}

#[test]
fn e14_the_cookie_of_one_sign_in_does_not_serve_another() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::new(&app);
    let back = browser.come_back_from("/");
    let jar = browser.cookies["localhost"].clone();
    let (name, sealed) = jar.first_key_value().unwrap();
    let mut victim = Browser::new(&app);
    let other_back = victim.come_back_from("/");
    let other_jar = victim.cookies["localhost"].clone();
    let (other_name, other_sealed) = other_jar.first_key_value().unwrap();
    // Swapped, cut, lengthened, and with one character changed.
    let changed = sealed.replacen(
        &sealed[20..21],
        if &sealed[20..21] == "A" { "B" } else { "A" },
        1,
    );
    for value in [
        other_sealed.clone(),
        sealed[..20].to_owned(),
        format!("{sealed}AAAA"),
        changed,
    ] {
        let mut thief = Browser::new(&app);
        thief
            .cookies
            .insert("localhost".into(), [(name.clone(), value)].into());
        thief.get(&back).shows(400, "not begun in this browser");
    }
    let mut thief = Browser::new(&app);
    thief.cookies.insert(
        "localhost".into(),
        [(other_name.clone(), sealed.clone())].into(),
    );
    thief
        .get(&other_back)
        .shows(400, "not begun in this browser");
    assert_eq!(redemptions(&emulator), 0);
    assert_eq!(browser.get(&back).location(), "/");
}

#[test]
fn e14_many_tabs_forget_the_oldest_and_nothing_else() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let mut browser = Browser::signed_in(&app);
    let backs: Vec<_> = (0..12).map(|_| browser.come_back_from("/login")).collect();
    let cookies = browser.cookies["localhost"].len();
    assert!(cookies <= 9, "{cookies} cookies");
    let mut works = |back: &String| browser.get(back).status == 302;
    assert!(works(backs.last().unwrap()));
    let others = backs[..11].iter().filter(|back| works(back)).count();
    assert_eq!(others, 7);
    assert!(browser.is_signed_in());
}

#[test]
fn e14_an_error_without_a_sign_in_is_not_believed() {
    let emulator = emulator();
    let app = App::start(&emulator);
    for query in [
        "error=access_denied&error_description=Call+0900+12345",
        "error=access_denied&error_description=Call+0900+12345&state=unknown",
    ] {
        let page = Browser::new(&app).get(&format!("/getAToken?{query}"));
        page.shows(400, "This sign-in cannot go on");
        assert!(!page.body.contains("0900"), "{page:#?}");
    }
}

#[test]
fn e14_garbage_is_no_cookie() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let long = "x".repeat(3000);
    for value in [
        "",
        "x",
        "\"\"",
        "%00%ff",
        "../../etc/passwd",
        &"A".repeat(43),
        &long,
    ] {
        let mut browser = Browser::new(&app);
        let back = browser.come_back_from("/");
        for cookie in browser.cookies.get_mut("localhost").unwrap().values_mut() {
            value.clone_into(cookie);
        }
        browser.get(&back).shows(400, "not begun in this browser");
        let jar = browser.cookies.get_mut("localhost").unwrap();
        jar.insert("session".into(), value.to_owned());
        browser.visit("/").shows(200, "Welcome");
    }
}
