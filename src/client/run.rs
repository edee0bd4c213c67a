//! `udsadmin run`: one request, its output on our own streams, its end as our exit status. Decides and retries nothing.

use super::exit;
use super::interrupt;
use super::secret::Source;
use crate::protocol::decoder::{INPUT_MAX, LINE_MAX};
use crate::protocol::reply::{Final, Kind, Part, parse_reply_line};
use crate::protocol::write_request;
use crate::request::{Argument, ArgumentName, Builtin, CommandName, Request, Token, Value};
use crate::server::options::DOOR;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zeroize::Zeroizing;

const EXAMPLES: &str = "\
Examples:
  udsadmin run restart nginx.service
  udsadmin run restart unit=nginx.service        the same, by the argument's name
  udsadmin run --input restore < dump.sql        our standard input becomes the command's
  udsadmin run --secret password set-password alice    asks for the password on the terminal
  udsadmin run --secret token=key.txt register   reads the token from a file
  udsadmin run --detach --id=backup-2026-11-21 backup    prints the id of the run and does not wait for it
  udsadmin run restart -- --help                 -- ends our own options: what follows is the command's

Ctrl-C ends udsadmin, not the command: what becomes of a command whose client goes away, its on-disconnect in the policy says:
it goes on, unless that is term. udsadmin jobs lists what runs, and udsadmin cancel ends it. So it is where the reader of
our output goes away (udsadmin run ... | head -1), which we tell by 141, as by SIGPIPE.

Exit status: the command's own; 128 and the signal's number where a signal ended it; 124 where its time limit did, 125 where
somebody did. Where nothing was started: 64 the request is wrong, 69 the service can't be reached, 70 it failed, 75 try again
later, 77 denied, 126 the program can't be started. 74: it may have run, and how it ended is unknown.";

/// Run a command of the policy
///
/// Its output comes out of our own standard output and standard error, octet by octet, as it is written.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Where the service listens
    #[arg(long, value_name = "PATH", default_value = DOOR)]
    socket: PathBuf,

    /// Pass our standard input on to the command; read whole before the command starts, at most 1 MiB
    #[arg(long)]
    input: bool,

    /// A secret argument: asked for on the terminal, or read from a file; - is our standard input
    ///
    /// A secret among the ARGs would be for everybody to see in the list of processes. The last line's end is not part of it.
    #[arg(long = "secret", value_name = "NAME[=FILE]")]
    secrets: Vec<Source>,

    /// Do not wait for its end: print its id, for udsadmin job
    #[arg(long)]
    detach: bool,

    /// A name of your own for this run: asked for again with the same one, it is not run again, and its result is told again
    ///
    /// 1 to 64 letters, digits, '-', '_', '.' or ':', known for ten minutes after its end. A script that does not know whether its
    /// request came through can repeat it.
    #[arg(long, value_name = "TOKEN")]
    id: Option<Token>,

    /// The command's name
    name: CommandName,

    /// Its arguments, in the order declared; or NAME=VALUE
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Asks, waits, and tells.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let outcome = request(arguments)
        .and_then(|line| connect(&arguments.socket).map(|stream| (line, stream)))
        .and_then(|(line, stream)| {
            interrupt::tell_of_the_command();
            hold(stream, &line, &mut io::stdout(), &mut io::stderr())
        })
        .and_then(|last| {
            accepted(&last, &mut io::stdout())?;
            conclude(&last, &arguments.socket)
        });
    told(outcome)
}

/// The exit code, once it was told what there is to tell.
pub(super) fn told(outcome: Result<u8, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err((code, why)) => {
            for line in why.lines() {
                // Without a standard error there is nobody to tell.
                drop(writeln!(io::stderr(), "udsadmin: {}", exit::shown(line)));
            }
            ExitCode::from(code)
        }
    }
}

/// An exit status, and what to tell, in one line or two.
pub(super) type Failure = (u8, String);

/// Room for a request's line with every octet of it escaped.
const ROOM: usize = 8 * LINE_MAX;

/// The request of a command line's words.
pub(super) fn request_of(name: &CommandName, words: &[OsString]) -> Result<Request, Failure> {
    let arguments = words.iter().cloned().map(argument).collect::<Result<_, _>>()?;
    Ok(Request { command: name.clone(), arguments })
}

/// The octets of the request: its line, and the input that follows it.
fn request(arguments: &Arguments) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Room for all of the line: what grows leaves copies of itself behind.
    let mut line = Zeroizing::new(Vec::with_capacity(ROOM));
    if let Some(builtin) = Builtin::from_verb(arguments.name.as_str()) {
        return Err(no_command(builtin));
    }
    let mut asked = request_of(&arguments.name, &arguments.words)?;
    if arguments.input && arguments.secrets.iter().any(Source::is_standard_input) {
        return Err((
            exit::USAGE,
            "standard input can't be both a secret and the command's input".to_owned(),
        ));
    }
    for source in &arguments.secrets {
        asked.arguments.push(source.argument()?);
    }
    write_request(&asked, &mut line);
    line.extend_from_slice(wanted(arguments).as_bytes());
    let fed = if arguments.input { Some(input(&mut io::stdin())?) } else { None };
    if let Some(octets) = &fed {
        line.extend_from_slice(format!(" <{}", octets.len()).as_bytes());
    }
    line.push(b'\n');
    if line.len() > LINE_MAX {
        return Err((exit::USAGE, format!("the request is longer than {LINE_MAX} octets")));
    }
    match fed {
        Some(octets) => Ok(Zeroizing::new([line.as_slice(), &octets].concat())),
        None => Ok(line),
    }
}

/// That a word of the protocol is no command, and what to write instead.
fn no_command(builtin: Builtin) -> Failure {
    let instead = match builtin {
        Builtin::Whoami | Builtin::Jobs | Builtin::Status | Builtin::Reload | Builtin::Confirm => {
            format!("write: udsadmin {}", builtin.verb())
        }
        Builtin::Job | Builtin::Cancel => format!("write: udsadmin {} ID", builtin.verb()),
        Builtin::Why => "write: udsadmin policy why".to_owned(),
        Builtin::Help
        | Builtin::Commands
        | Builtin::Run
        | Builtin::Ping
        | Builtin::Hello
        | Builtin::Quit
        | Builtin::Sessions
        | Builtin::Kick
        | Builtin::Drain => "udsadmin commands lists yours".to_owned(),
    };
    (exit::USAGE, format!("{} is a word of the protocol, and no command; {instead}", builtin.verb()))
}

/// How the run is wanted, behind the command's own arguments.
fn wanted(arguments: &Arguments) -> String {
    let id = arguments.id.as_ref().map(|token| format!(" id={token}"));
    let detach = if arguments.detach { " detach=yes" } else { "" };
    id.unwrap_or_default() + detach
}

fn input(from: &mut dyn Read) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let room = u64::try_from(INPUT_MAX).unwrap_or(u64::MAX).saturating_add(1);
    from.take(room)
        .read_to_end(&mut octets)
        .map_err(|error| (exit::USAGE, format!("standard input: {error}")))?;
    if octets.len() > INPUT_MAX {
        return Err((exit::USAGE, format!("standard input is longer than {INPUT_MAX} octets")));
    }
    Ok(octets)
}

fn argument(word: OsString) -> Result<Argument, Failure> {
    let octets = word.into_vec();
    let named = octets.iter().position(|octet| *octet == b'=').and_then(|at| {
        let (name, value) = octets.split_at_checked(at)?;
        let name: ArgumentName = std::str::from_utf8(name).ok()?.parse().ok()?;
        Some((name, value.get(1..)?.to_vec()))
    });
    let value = |octets: Vec<u8>| Value::try_from(octets).map_err(|error| (exit::USAGE, error.to_string()));
    match named {
        Some((name, octets)) => Ok(Argument::Named(name, value(octets)?)),
        None => Ok(Argument::Positional(value(octets)?)),
    }
}

pub(super) fn connect(socket: &Path) -> Result<UnixStream, Failure> {
    UnixStream::connect(socket).map_err(|error| {
        let path = socket.display();
        let hint = if error.kind() == io::ErrorKind::PermissionDenied {
            format!("its owner, group and mode decide who may connect: compare ls -l {path} with id")
        } else {
            "is udsadmin.socket started?".to_owned()
        };
        (exit::UNAVAILABLE, format!("{path}: {error}; {hint}"))
    })
}

/// Sends the request and passes on its output; gives its final line.
fn hold(
    stream: UnixStream,
    request: &[u8],
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<Final, Failure> {
    let lost =
        |error: io::Error| (exit::IO, format!("the connection broke: {error}; the command may have run"));
    let mut writer = stream.try_clone().map_err(lost)?;
    // A server that refuses at once closes before it has read all: its answer is what counts.
    drop(writer.write_all(request));
    let mut replies = BufReader::with_capacity(64 * 1024, stream);
    let mut line = Vec::new();
    while replies.read_until(b'\n', &mut line).map_err(lost)? > 0 {
        let reply = parse_reply_line(line.strip_suffix(b"\n").unwrap_or(&line))
            .map_err(|error| (exit::IO, format!("what answers is no udsadmin: {error}")))?;
        match reply.part {
            Part::Stream { kind: Kind::Stdout, partial, octets } => pass_on(octets, partial, stdout)?,
            Part::Stream { kind: Kind::Stderr, partial, octets } => pass_on(octets, partial, stderr)?,
            Part::Row(_) | Part::Info(_) => {}
            Part::Final(end) => return Ok(end),
        }
        line.clear();
    }
    Err((exit::IO, "the connection ended without an answer; the command may have run".to_owned()))
}

/// Writes a piece of output as the command wrote it, and when: a part of a line does not wait for its end.
pub(super) fn pass_on(mut octets: Vec<u8>, partial: bool, to: &mut dyn Write) -> Result<(), Failure> {
    if !partial {
        octets.push(b'\n');
    }
    to.write_all(&octets)
        .and_then(|()| if partial { to.flush() } else { Ok(()) })
        .map_err(|error| exit::not_written("the command's output", &error))
}

/// Prints the id of a run that nobody waits for.
fn accepted(last: &Final, to: &mut dyn Write) -> Result<(), Failure> {
    let job = last.fields.iter().find(|(name, _)| name == "job" && last.code == 202);
    job.map_or(Ok(()), |(_, id)| pass_on(id.clone(), false, to))
}

/// How the refusal of a name that no argument has begins.
const NO_ARGUMENT: &[u8] = b"is no argument of";

/// The exit status of a final line; what has to be told is an error.
fn conclude(last: &Final, socket: &Path) -> Result<u8, Failure> {
    let code = exit::status(last);
    let mut told = exit::words(last);
    if exit::is_about_the_command(last) {
        told.push_str("\nto see yours: udsadmin commands");
        if socket != Path::new(DOOR) {
            told.push_str(" --socket ");
            told.push_str(&socket.to_string_lossy());
        }
    }
    if last.code == 422 && last.text.starts_with(NO_ARGUMENT) {
        told.push_str("\na value with = in it has its argument's name before it: NAME=VALUE");
    }
    if matches!(last.code, 200 | 202 | 210) { Ok(code) } else { Err((code, told)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that has read `request` answers with `reply`.
    fn held(reply: &str) -> (Result<u8, Failure>, Vec<u8>, Vec<u8>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(reply.as_bytes()).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let outcome = hold(ours, b"a\n", &mut stdout, &mut stderr);
        let outcome = outcome.and_then(|last| conclude(&last, Path::new("/run/it.sock")));
        (outcome, stdout, stderr)
    }

    #[test]
    fn output_comes_out_octet_by_octet_and_the_status_is_the_commands() {
        let (outcome, stdout, stderr) =
            held("| a\\x1b\n! b\n# running ms=1\n|~c\n210 exit code=3 ms=1 job=a\n");
        assert_eq!(outcome, Ok(3));
        assert_eq!((stdout.as_slice(), stderr.as_slice()), (&b"a\x1b\nc"[..], &b"b\n"[..]));
    }

    #[test]
    fn a_refusal_is_told_with_its_words() {
        let (outcome, ..) = held("422 bad-argument name=unit ms=0 : must be one of a, b\n");
        assert_eq!(outcome, Err((exit::USAGE, "argument unit: must be one of a, b".to_owned())));
    }

    #[test]
    fn whoever_is_denied_a_command_is_told_how_to_see_their_own() {
        let (outcome, ..) = held("403 denied ms=0 : no such command for you\n");
        let hint = "to see yours: udsadmin commands --socket /run/it.sock";
        let told = format!("denied: no such command for you\n{hint}");
        assert_eq!(outcome, Err((77, told)));
        let (outcome, ..) = held("403 denied ms=0 : only during 08:00-18:00\n");
        assert_eq!(outcome, Err((77, "denied: only during 08:00-18:00".to_owned())));
        let (outcome, ..) = held("403 denied : root may not connect\n");
        assert_eq!(outcome, Err((77, "denied: root may not connect".to_owned())));
    }

    #[test]
    fn a_value_that_was_taken_for_a_named_one_is_told_how_to_be_written() {
        let (outcome, ..) = held("422 bad-argument name=a ms=0 : is no argument of say WHO\n");
        let hint = "a value with = in it has its argument's name before it: NAME=VALUE";
        assert_eq!(outcome, Err((64, format!("argument a: is no argument of say WHO\n{hint}"))));
    }

    #[test]
    fn a_connection_that_ends_early_is_not_taken_for_success() {
        let (outcome, stdout, _) = held("| a\n");
        assert_eq!((outcome.unwrap_err().0, stdout.as_slice()), (exit::IO, &b"a\n"[..]));
        assert_eq!(held("HTTP/1.1 200 OK\n").0.unwrap_err().0, exit::IO);
    }

    #[test]
    fn a_word_with_an_equals_sign_behind_a_name_is_named() {
        let named = |word: &str| matches!(argument(word.into()), Ok(Argument::Named(..)));
        assert!(named("unit=a=b") && named("unit="));
        assert!(!named("unit") && !named("=a") && !named("1=a") && !named("/a=b"));
    }

    #[test]
    fn a_part_of_a_line_is_passed_on_at_once() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"|~Sure? \n200 exit code=0 ms=1 job=a\n").unwrap();
        let mut out = io::BufWriter::new(Vec::new());
        assert_eq!(hold(ours, b"ask\n", &mut out, &mut io::sink()).unwrap().code, 200);
        assert_eq!(out.get_ref(), b"Sure? ");
    }

    #[test]
    fn an_input_without_an_end_is_not_read_to_its_end() {
        assert_eq!(input(&mut io::repeat(b'x')).unwrap_err().0, exit::USAGE);
        let longest = vec![b'x'; INPUT_MAX];
        assert_eq!(input(&mut longest.as_slice()), Ok(longest));
    }
}
