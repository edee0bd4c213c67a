//! Runs without a broker: what they pass on, keep and leave out.

use super::*;
use crate::broker::Packets;
use crate::execution::Tail;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

fn output(kind: Kind, tail: &Arc<Tail>) -> (Output, File) {
    let (ours, theirs) = io::pipe().unwrap();
    let ours = OwnedFd::from(ours);
    rustix::io::ioctl_fionbio(&ours, true).unwrap();
    let output = Output::of_pipe(kind, ours, Arc::clone(tail), None).unwrap();
    (output, OwnedFd::from(theirs).into())
}

/// A run that the broker never tells of, and the job's ends of its stdout and stderr.
fn run() -> (Running, [File; 2], Arc<Tail>) {
    let tail = Arc::new(Tail::new(1 << 20).unwrap());
    let (stdout, stdout_end) = output(Kind::Stdout, &tail);
    let (stderr, stderr_end) = output(Kind::Stderr, &tail);
    let mut run = Running::new((1, None), Box::pin(pending()), [stdout, stderr]);
    run.block = vec![0; 1].into_boxed_slice();
    (run, [stdout_end, stderr_end], tail)
}

#[tokio::test]
async fn what_floods_one_output_does_not_drown_the_other() {
    for flooded in [0, 1] {
        let (mut run, mut ends, _) = run();
        ends[flooded].write_all(&[b'x'; 4096]).unwrap();
        ends[1 - flooded].write_all(b"heard\n").unwrap();
        let mut out = Vec::new();
        for _ in 0..1024 {
            let step = run.next(true).await;
            run.take(step, &mut out);
        }
        assert!(String::from_utf8(out).unwrap().contains("heard\n"), "{flooded}");
    }
}

#[tokio::test]
async fn what_is_past_the_limit_is_neither_passed_on_nor_kept() {
    let (mut run, mut ends, tail) = run();
    (run.room, run.block) = (Some(5), block());
    ends[0].write_all(b"abcdefgh\n").unwrap();
    let step = run.next(true).await;
    let mut out = Vec::new();
    run.take(step, &mut out);
    run.stdout.flush(&mut out);
    assert_eq!((out.as_slice(), tail.written(Kind::Stdout).unwrap()), (&b"|~abcde\n"[..], 5));
    assert!(matches!(run.word, Some(Word::Cap)));
}

#[tokio::test]
async fn what_a_job_that_is_over_has_left_in_its_pipe_is_kept_though_its_client_is_gone() {
    let (mut run, mut ends, tail) = run();
    ends[1].write_all(b"last words\n").unwrap();
    drop(ends);
    run.end(End::Unknown);
    run.abandon();
    assert_eq!(tail.read(Kind::Stderr, 0).unwrap().0.octets, b"last words\n");
}

/// A link to a broker that says nothing, and the broker's end of it.
fn link() -> (Arc<Connection>, OwnedFd) {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    (Arc::new(Connection::opened(Packets::new(ours).unwrap())), theirs)
}

#[tokio::test]
async fn a_word_that_one_broker_took_with_it_is_said_to_the_next() {
    for word in [Word::Cancel, Word::Cap] {
        let (mut run, _ends, _) = run();
        let ((first, _broker), (second, _)) = (link(), link());
        (run.phase, run.word) = (Phase::Ordered(first), Some(word));
        let told = run.next(true).await;
        run.take(told, &mut Vec::new());
        assert!(run.word.is_none(), "it is said once to each");
        run.take(Step::Rejoined(Some(second)), &mut Vec::new());
        assert!(
            run.word.is_some_and(|again| std::mem::discriminant(&again) == std::mem::discriminant(&word))
        );
    }
}
