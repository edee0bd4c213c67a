"""The packages as an administrator handles them: the deb by apt, the rpm by dnf and a local repository."""

POOL = "/srv/packages"
REPOSITORY = """[local]
name=local
baseurl=file:///srv/repository
gpgcheck=0
"""


class Deb:
    """By apt, of files."""

    purges = True
    unwritable = b"ead-only file system"  # what is said of a file system that can't be written

    def __init__(self, rig):
        self.rig = rig

    def _apt(self, *words):
        return self.rig.root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", *words, seconds=300)

    def install(self, which):
        return self._apt("install", "--no-install-recommends", *self.files(which))

    def upgrade(self, which):
        self.rig.root("/usr/libexec/udsadmin-tests/alter", f"{POOL}/{which}").well()
        return self._apt("install", "--option=Dpkg::Options::=--force-confold", *self.files(which))

    def install_into(self, root):
        return self.rig.shell(f"cp {POOL}/old/*.deb {root}/run && chroot {root} sh -c 'dpkg --install /run/*.deb'")

    def files(self, which):
        return self.rig.shell(f"ls {POOL}/{which}/*.deb").well().text.split()

    def remove(self):
        return self._apt("remove", "udsadmin")

    def purge(self):
        return self._apt("purge", "udsadmin")

    def is_installed(self):
        return self.rig.shell("dpkg-query -W -f '${db:Status-Status}' udsadmin 2>&1").text == "installed"


class Rpm:
    """By dnf, from a repository, beside a package that stands for what this Debian has by other packages."""

    purges = False
    unwritable = b"Transaction failed"

    def __init__(self, rig):
        self.rig = rig

    def _dnf(self, *words):
        return self.rig.root("dnf", "-q", "-y", "--refresh", *words, seconds=300)

    def _offer(self, which):
        self.rig.root("mkdir", "-p", "/etc/yum.repos.d").well()
        self.rig.put("/etc/yum.repos.d/local.repo", REPOSITORY)
        self.rig.root("/usr/libexec/udsadmin-tests/offer", f"{POOL}/{which}").well()

    def install(self, which):
        self._offer(which)
        return self._dnf("install", "udsadmin")

    def upgrade(self, which):
        self._offer(which)
        return self._dnf("upgrade", "udsadmin")

    def install_into(self, root):
        return self.rig.shell(f"cp {POOL}/old/*.rpm {root}/run && chroot {root} sh -c 'rpm --install --nodeps /run/*.rpm'")

    def remove(self):
        return self._dnf("remove", "udsadmin")

    def is_installed(self):
        return self.rig.root("rpm", "-q", "udsadmin").code == 0


def package_of(rig):
    return Rpm(rig) if rig.suite.endswith("-dnf") else Deb(rig)
