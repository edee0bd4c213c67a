//! Common directories stand in the place of cgroups: what is written there is seen, and nothing of it bites.

use super::*;
use crate::audit::{Event, Kind, Memory, Recorded, Trail};
use crate::execution::{Plan, Room, job};
use crate::policy::{Enforcement, Percent, Size};
use crate::sys::Manner;

/// A directory of its own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("udsadmin-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(name: &str, files: &[&str]) -> Self {
        let folder = Self::new(name);
        for file in files {
            fs::write(folder.0.join(file), "").unwrap();
        }
        folder
    }

    fn says(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const NONE: Ceilings = Ceilings {
    kill_after: Duration::ZERO,
    memory_max: None,
    tasks_max: None,
    cpu_max: None,
    enforcement: Enforcement::Required,
};

const ALL: Ceilings =
    Ceilings { memory_max: Some(Size(512 << 20)), tasks_max: Some(64), cpu_max: Some(Percent(150)), ..NONE };

fn words(lacking: &[Lacking]) -> Vec<String> {
    lacking.iter().map(ToString::to_string).collect()
}

#[test]
fn the_limits_of_a_job_are_written_where_the_kernel_reads_them() {
    let files = ["memory.max", "memory.oom.group", "memory.swap.max", "pids.max", "cpu.max"];
    let cgroup = Folder::with("written", &files);
    assert_eq!(bounds::set(&cgroup.0, &ALL), []);
    let said = files.map(|file| cgroup.says(file));
    assert_eq!(said, ["536870912", "1", "0", "64", "150000 100000"]);
}

#[test]
fn a_limit_of_memory_counts_without_a_file_for_swap() {
    let cgroup = Folder::with("noswap", &["memory.max", "memory.oom.group"]);
    let memory = Ceilings { memory_max: ALL.memory_max, ..NONE };
    assert_eq!(bounds::set(&cgroup.0, &memory), []);
    assert_eq!(fs::read_dir(&cgroup.0).unwrap().count(), 2, "nothing was made");
}

#[test]
fn a_limit_without_its_controller_is_lacking_and_no_other() {
    let cgroup = Folder::with("lacking", &["pids.max"]);
    let expected = [
        "memory-max can't be set: no memory controller here",
        "cpu-max can't be set: no cpu controller here",
    ];
    assert_eq!(words(&bounds::set(&cgroup.0, &ALL)), expected);
    assert_eq!(bounds::set(&cgroup.0, &NONE), []);
    assert_eq!(cgroup.says("pids.max"), "64");
}

#[test]
fn what_is_lacking_is_known_before_there_is_a_job() {
    let own = Folder::new("beforehand");
    fs::write(own.0.join("cgroup.subtree_control"), "cpu cpuset pids\n").unwrap();
    let delegation = Delegation { path: own.0.clone() };
    assert_eq!(words(&delegation.lacking(&ALL)), ["memory-max can't be set: no memory controller here"]);
    assert_eq!(bounds::lacking_all(&ALL).len(), 3);
    assert_eq!(bounds::lacking_all(&NONE), []);
}

#[test]
fn of_the_controllers_offered_those_for_limits_are_handed_on() {
    let own = Folder::with("handed-on", &["cgroup.subtree_control"]);
    for (offered, handed_on) in [("cpuset hugetlb\n", ""), ("cpuset pids misc\n", "+pids")] {
        fs::write(own.0.join("cgroup.controllers"), offered).unwrap();
        let delegation = Delegation::settled(own.0.clone());
        assert_eq!(
            (delegation.path, own.says("cgroup.subtree_control")),
            (own.0.clone(), handed_on.to_owned())
        );
    }
}

#[test]
fn a_room_that_no_job_comes_into_leaves_no_cgroup() {
    let own = Folder::new("room");
    let delegation = Delegation { path: own.0.clone() };
    let (room, lacking) = delegation.job(&JobId::draw().unwrap(), &ALL).unwrap();
    assert_eq!((lacking.len(), fs::read_dir(&own.0).unwrap().count()), (3, 1));
    drop(room);
    assert_eq!(fs::read_dir(&own.0).unwrap().count(), 0);
}

#[tokio::test]
async fn a_cgroup_is_removed_with_all_that_the_job_made_below_it() {
    let own = Folder::new("nested");
    let job = own.0.join("job");
    for below in ["a/b/c", "a/d", "e"] {
        fs::create_dir_all(job.join(below)).unwrap();
    }
    assert_eq!(with_those_below(&job).len(), 6);
    JobGroup { path: Some(job.clone()) }.remove().await;
    assert!(!job.exists());
}

#[tokio::test(start_paused = true)]
async fn a_cgroup_that_is_not_empty_yet_holds_nobody_up_and_is_removed_later() {
    let own = Folder::new("later");
    let job = own.0.join("job");
    fs::create_dir(&job).unwrap();
    // A file in a directory holds it like a process that can't be killed a cgroup.
    let process = job.join("process");
    fs::write(&process, "").unwrap();
    JobGroup { path: Some(job.clone()) }.remove().await;
    assert!(job.exists());
    fs::remove_file(&process).unwrap();
    while job.exists() {
        sleep(PAUSE_MAX).await;
    }
}

#[test]
fn a_job_ran_out_of_memory_where_the_kernel_says_so() {
    let cgroup = Folder::new("events");
    let group = JobGroup { path: Some(cgroup.0.join("job")) };
    fs::create_dir(group.path()).unwrap();
    assert!(!group.ran_out_of_memory(), "without a controller nothing is known");
    for (count, expected) in [("0", false), ("2", true)] {
        let events = format!("low 0\nhigh 0\nmax 7\noom 3\noom_kill {count}\noom_group_kill 1\n");
        fs::write(group.path().join("memory.events"), events).unwrap();
        assert_eq!(group.ran_out_of_memory(), expected);
    }
    fs::remove_file(group.path().join("memory.events")).unwrap();
}

fn planned() -> Plan {
    Plan {
        job: JobId::draw().unwrap(),
        program: "/bin/true".into(),
        argv: vec![b"true".to_vec()],
        environment: Vec::new(),
        handed: Vec::new(),
        secrets: Vec::new(),
        input: None,
        manner: Manner::default(),
        names_more_than_the_user: false,
        timeout: None,
        kill_after: Duration::ZERO,
        runner: crate::policy::Runner::Direct,
    }
}

async fn recorded() -> Recorded {
    let trail = Trail::Memory(Memory::default());
    trail.record(&Event::new(Kind::Started, "x")).await.unwrap()
}

#[tokio::test]
async fn a_job_that_can_not_enter_its_cgroup_leaves_none_behind() {
    // Nothing in a common directory can be entered.
    let own = Folder::new("cgroup");
    let plan = planned();
    let null = || File::options().read(true).write(true).open("/dev/null").unwrap().into();
    let (group, lacking) = Delegation { path: own.0.clone() }.job(&plan.job, &NONE).unwrap();
    let room = Room { group: Some(group), descriptors: (64, 64), properties: Vec::new(), lacking };
    let launched = job::launch(plan, [null(), null(), null()], room, recorded().await).await;
    assert_eq!(launched.unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(fs::read_dir(&own.0).unwrap().count(), 0);
}

#[test]
fn a_unit_is_told_the_same_limits_in_its_own_words() {
    let told = bounds::properties(&ALL).into_iter().map(|it| (it.name, it.setting));
    let expected =
        [("MemoryMax", 512 << 20), ("MemorySwapMax", 0), ("TasksMax", 64), ("CPUQuotaPerSecUSec", 1_500_000)];
    assert!(told.eq(expected.map(|(name, value)| (name, crate::policy::Setting::Unsigned(value)))));
    assert_eq!(bounds::properties(&NONE), []);
}
