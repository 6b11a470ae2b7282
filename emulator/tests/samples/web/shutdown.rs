//! E4 and CT4: how the app ends, what it says of its address, and who may keep it busy.

use std::thread;

use super::*;

/// A connection over which half a request has been sent.
fn half_a_request(app: &App) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost:{}\r\nX: ",
        app.port
    )
    .unwrap();
    stream
}

#[test]
fn ct4_a_request_under_way_is_answered_before_the_app_ends() {
    for (signal, status) in [("TERM", 0), ("INT", 130)] {
        let emulator = emulator();
        let app = App::start(&emulator);
        let mut browser = Browser::signed_in(&app);
        browser.visit("/call_api").shows(200, "Contoso Employee");
        // Byte by byte, so that it takes some seconds.
        emulator.fault("me:slow=5").unwrap();
        emulator.clear_requests();
        let request = thread::spawn(move || browser.get("/call_api"));
        until("the API is called", || {
            (!calls(&emulator, "/me").is_empty()).then_some(())
        });
        app.running.signal(signal);
        // Nobody new is let in.
        until("the app does not listen", || {
            TcpStream::connect(("127.0.0.1", app.port))
                .is_err()
                .then_some(())
        });
        request.join().unwrap().shows(200, "Contoso Employee");
        let outcome = app.running.wait();
        assert_eq!(outcome.status.code(), Some(status), "{outcome:#?}");
        assert!(!outcome.stderr.contains("panic"), "{outcome:#?}");
    }
}

#[test]
fn ct4_ctrl_c_ends_an_app_that_is_not_set_up_as_well() {
    let app = App::of(World::empty(SAMPLE));
    app.says("Almost there");
    app.running.signal("INT");
    assert_eq!(app.running.wait().status.code(), Some(130));
}

#[test]
fn e25_slow_clients_do_not_stop_a_sign_in() {
    let emulator = emulator();
    let app = App::start(&emulator);
    let slow: Vec<_> = (0..300).map(|_| half_a_request(&app)).collect();
    Browser::signed_in(&app)
        .visit("/call_api")
        .shows(200, "Contoso Employee");
    // They are not waited for for ever.
    for mut stream in slow {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
}

#[test]
fn e25_slow_clients_do_not_take_all_open_files() {
    let emulator = emulator();
    let port = free_port();
    let world = world(&emulator).env("REDIRECT_URI", format!("http://localhost:{port}/getAToken"));
    let sample = crate::support::binary(SAMPLE);
    // Fewer than connections, unless the app asks for more.
    let script = "ulimit -S -n 100; exec \"$@\"";
    let command = world.command_of("sh", &["-c", script, "sh", sample.to_str().unwrap()]);
    let running = Running::start(command, b"");
    until("the app listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let app = App {
        running,
        port,
        origin: format!("http://localhost:{port}"),
    };
    let slow: Vec<_> = (0..200).map(|_| half_a_request(&app)).collect();
    // Not one of them has been given up for it.
    Browser::signed_in(&app);
    for stream in slow {
        stream.set_nonblocking(true).unwrap();
        let read = (&stream).read(&mut [0]);
        assert!(read.is_err(), "{read:?}");
    }
}

#[test]
fn e4_ipv6_loopback() {
    let emulator = emulator();
    let port = free_port();
    if TcpListener::bind(("::1", port)).is_err() {
        println!("not tried: there is no IPv6 here");
        return;
    }
    let redirect_uri = format!("http://localhost:{port}/getAToken");
    let world = world(&emulator)
        .env("REDIRECT_URI", redirect_uri)
        .arg("--host")
        .arg("::1");
    let running = world.start();
    until("the app listens", || {
        running.stderr().contains("Open ").then_some(())
    });
    assert!(
        !running.stderr().contains("Warning"),
        "{}",
        running.stderr()
    );
    let mut stream = TcpStream::connect(("::1", port)).unwrap();
    write!(
        stream,
        "GET /?a=1 HTTP/1.1\r\nHost: [::1]:{port}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = format!("location: http://localhost:{port}/?a=1\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 302") && answer.contains(&location),
        "{answer}"
    );
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    // The same port is taken now, and is called by its address.
    let outcome = world.run();
    outcome.fails(1, &[&format!("[::1]:{port} cannot be listened on")]);
}
