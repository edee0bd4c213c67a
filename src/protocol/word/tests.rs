//! Words as they are read and written, and where they are at fault.

use super::*;

fn read(line: &str) -> Result<Vec<Word>, Fault> {
    check(line.as_bytes())?;
    let mut words = Words::new(line.as_bytes());
    let mut all = Vec::new();
    while let Some(word) = words.next_word()? {
        all.push(word);
    }
    Ok(all)
}

fn octets(line: &str) -> Vec<Vec<u8>> {
    read(line).unwrap().iter_mut().map(Word::take).collect()
}

fn fault(line: &str) -> (usize, &'static str) {
    let fault = read(line).unwrap_err();
    (fault.column, fault.message)
}

fn written(octets: &[u8]) -> String {
    let mut out = Vec::new();
    write_word(octets, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn blanks_part_words() {
    assert_eq!(octets(" a \t b\tüc  "), [&b"a"[..], b"b", "üc".as_bytes()]);
    assert_eq!(octets("  \t"), Vec::<Vec<u8>>::new());
}

#[test]
fn quotes_hold_blanks_and_the_other_quote() {
    assert_eq!(octets(r#""a 'b'" 'c "d" \n' "" ''"#), [&b"a 'b'"[..], br#"c "d" \n"#, b"", b""]);
}

#[test]
fn double_quotes_know_their_escapes() {
    assert_eq!(octets(r#""\\\"\n\r\t\x1b\xFF""#), [b"\\\"\n\r\t\x1b\xff"]);
    assert_eq!(fault(r#"a "b\e""#), (5, BAD_ESCAPE));
    assert_eq!(fault(r#"a "\x1""#), (4, BAD_ESCAPE));
    assert_eq!(fault(r#"a "\"#), (4, BAD_ESCAPE));
}

#[test]
fn a_name_before_an_equals_sign_is_a_key() {
    let words = read(r#"unit=a=b unit="a b" unit='c' unit= "unit=a" =x 1a=x --a=x"#).unwrap();
    let keyed: Vec<_> = words.iter().map(|word| word.key.as_ref().map(ArgumentName::as_str)).collect();
    let unit = Some("unit");
    assert_eq!(keyed, [unit, unit, unit, unit, None, None, None, None]);
    let values: Vec<_> = words.iter().map(|word| std::str::from_utf8(&word.octets).unwrap()).collect();
    assert_eq!(values, ["a=b", "a b", "c", "", "unit=a", "=x", "1a=x", "--a=x"]);
}

#[test]
fn pieces_are_never_glued() {
    assert_eq!(fault(r#"x a"b""#), (4, GLUED_QUOTE));
    assert_eq!(fault(r#"x "a"b"#), (6, GLUED_WORD));
    assert_eq!(fault(r#"x "a"'b'"#), (6, GLUED_WORD));
    assert_eq!(fault(r"x unit=a'b'"), (9, GLUED_QUOTE));
    assert_eq!(fault(r#"x "unit"=a"#), (9, GLUED_WORD));
    assert_eq!(fault(r#"x --a="b""#), (7, GLUED_QUOTE));
}

#[test]
fn an_open_quote_is_told_where_it_opens() {
    assert_eq!(fault(r#"say "hello"#), (5, OPEN_DOUBLE));
    assert_eq!(fault("say it=' a"), (8, OPEN_SINGLE));
}

#[test]
fn a_backslash_needs_quotes() {
    assert_eq!(fault(r"say a\ b"), (6, BARE_BACKSLASH));
    assert_eq!(fault(r"say it=\n"), (8, BARE_BACKSLASH));
}

#[test]
fn controls_and_broken_utf8_are_told_with_their_column() {
    for (line, column, message) in [
        (&b"a b\0"[..], 4, CONTROL),
        (b"a\rb", 2, CONTROL),
        (b"a \x1b[0m", 3, CONTROL),
        (b"a \x7f", 3, CONTROL),
        ("é \u{85}".as_bytes(), 4, CONTROL),
        (b"a \xff", 3, NOT_UTF8),
        (b"a \xc3", 3, NOT_UTF8),
        (b"\x01 \xff", 1, CONTROL),
        (b"\xff \x01", 1, NOT_UTF8),
    ] {
        assert_eq!(check(line), Err(Fault { column, message }), "{line:?}");
    }
    assert_eq!(fault("a \"b\tc\""), (5, TAB_IN_DOUBLE));
    assert_eq!(fault("a 'b\tc'"), (5, TAB_IN_SINGLE));
}

#[test]
fn the_first_nul_is_told() {
    let words = read(r#"a "b\x00\x00" "c""#).unwrap();
    assert_eq!(words.iter().map(|word| word.nul).collect::<Vec<_>>(), [None, Some(5), None]);
}

#[test]
fn clear_words_are_written_bare() {
    for bare in ["a", "php-fpm.service", "a,b;c", "=x", "--a=b", "[x]", "müller", "a<5"] {
        assert_eq!(written(bare.as_bytes()), bare);
    }
}

#[test]
fn what_could_be_mistaken_is_quoted() {
    for (octets, expected) in [
        (&b""[..], r#""""#),
        (b"a b", r#""a b""#),
        (b"it's", r#""it's""#),
        (br#"a"\"#, r#""a\"\\""#),
        (b"a=b", r#""a=b""#),
        (b"<5", r#""<5""#),
        (b"<<END", r#""<<END""#),
        (b"\x1b[0m\n\r\t\0", r#""\x1b[0m\n\r\t\x00""#),
        (b"caf\xe9", r#""caf\xe9""#),
        ("a\u{a0}b".as_bytes(), "\"a\u{a0}b\""),
        ("a\u{202e}b".as_bytes(), r#""a\xe2\x80\xaeb""#),
    ] {
        assert_eq!(written(octets), expected);
    }
}
