//! The files that all runs have in common, made once: each run gets a copy of these mounts.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, open_tree,
    unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::mounts::{DEVICE, READ_ONLY, attach, copy, set_attributes_of_one};
use super::user::unshare;
use super::{LauncherError, trying};

/// Programs and libraries of the host, where they are links as well as where they are folders.
const PROGRAMS: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Folders below /etc that hold no secrets: certificates of authorities, choices of programs.
const ETC_FOLDERS: [&str; 6] = [
    "alternatives",
    "ca-certificates",
    "ld.so.conf.d",
    "pki/ca-trust",
    "pki/tls/certs",
    "ssl/certs",
];
const ETC_FILES: [&str; 7] = [
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "ssl/openssl.cnf",
];
/// The few users that a run knows of, and its own name.
const ETC_OWN: [(&str, &str); 4] = [
    (
        "passwd",
        "root:x:0:0:root:/:/bin/false\n\
         attune:x:1000:1000:attune:/tmp:/bin/bash\n\
         nobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("group", "root:x:0:\nattune:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost attune\n::1 localhost\n"),
    ("hostname", "attune\n"),
];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// Where a run mounts what is its own, or nothing.
const FOLDERS: [&str; 7] = ["dev/shm", "etc", "pack", "proc", "run", "tmp", "var"];
/// Any folder of the host, to build on; what it holds is not seen by runs.
const SITE: &str = "/tmp";
const TEMPLATE_SIZE: &std::ffi::CStr = c"size=4m,mode=0755";

/// The two mount namespaces that the launcher changes between.
pub(super) struct Namespaces {
    host: OwnedFd,
    template: OwnedFd,
}

impl Namespaces {
    /// Ends in the copy of the host's.
    pub(super) fn furnish() -> Result<Namespaces, LauncherError> {
        unshare(UnshareFlags::NEWNS).map_err(trying("make a mount namespace"))?;
        // What the host unmounts later is unmounted here, and nothing that we do is seen there.
        let from_host_only = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change("/", from_host_only).map_err(trying("separate the mounts from the host's"))?;
        let host = current()?;
        unshare(UnshareFlags::NEWNS).map_err(trying("make a second mount namespace"))?;
        build().map_err(trying("prepare the files of runs"))?;
        let namespaces = Namespaces { host, template: current()? };
        enter(&namespaces.host)?;
        Ok(namespaces)
    }

    /// Does something while in the namespace of the template.
    pub(super) fn in_template<T>(&self, what: impl FnOnce() -> T) -> Result<T, LauncherError> {
        enter(&self.template)?;
        let result = what();
        enter(&self.host)?;
        Ok(result)
    }
}

fn enter(namespace: &OwnedFd) -> Result<(), LauncherError> {
    let kind = Some(LinkNameSpaceType::Mount);
    move_into_link_name_space(namespace.as_fd(), kind).map_err(trying("change the mount namespace"))
}

/// The caller's mount namespace. By way of the descriptor only: the template has no such file.
fn current() -> Result<OwnedFd, LauncherError> {
    let link = File::open("/proc/self/ns/mnt").map_err(trying("look at the mount namespace"))?;
    Ok(link.into())
}

/// Ends with the template as the root, and nothing else of the host.
fn build() -> io::Result<()> {
    let all = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", all)?;
    let no_rights = MountFlags::NOSUID | MountFlags::NODEV;
    mount("attune", SITE, "tmpfs", no_rights, TEMPLATE_SIZE)?;
    let site = Path::new(SITE);
    for folder in FOLDERS {
        fs::create_dir_all(site.join(folder))?;
    }
    symlink("/tmp", site.join("var/tmp"))?;
    for name in PROGRAMS {
        link_or_mount(site, name)?;
    }
    furnish_etc(&site.join("etc"))?;
    furnish_devices(&site.join("dev"))?;
    // A run may mount a proc of its own only where there is one already.
    attach_at(&copy(Path::new("/proc"), 0)?, &site.join("proc"))?;
    chdir(SITE)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    close_root()
}

/// From now on only what is mounted later can be written.
fn close_root() -> io::Result<()> {
    let root = open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    set_attributes_of_one(&root, READ_ONLY)
}

fn link_or_mount(site: &Path, name: &str) -> io::Result<()> {
    let source = Path::new("/").join(name);
    let target = site.join(name);
    match fs::symlink_metadata(&source) {
        Ok(found) if found.is_symlink() => symlink(fs::read_link(source)?, target),
        Ok(found) if found.is_dir() => {
            fs::create_dir_all(&target)?;
            attach_at(&copy(&source, READ_ONLY)?, &target)
        }
        _ => Ok(()),
    }
}

fn furnish_etc(etc: &Path) -> io::Result<()> {
    let host = Path::new("/etc");
    for folder in ETC_FOLDERS {
        if host.join(folder).is_dir() {
            fs::create_dir_all(etc.join(folder))?;
            attach_at(&copy(&host.join(folder), READ_ONLY)?, &etc.join(folder))?;
        }
    }
    for file in ETC_FILES {
        copy_file(&host.join(file), &etc.join(file))?;
    }
    for (file, content) in ETC_OWN {
        fs::write(etc.join(file), content)?;
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(source) else { return Ok(()) };
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    if found.is_symlink() {
        return symlink(fs::read_link(source)?, target);
    }
    fs::write(target, fs::read(source)?)
}

fn furnish_devices(dev: &Path) -> io::Result<()> {
    for device in DEVICES {
        let target = dev.join(device);
        File::create(&target)?;
        attach_at(&copy(&Path::new("/dev").join(device), DEVICE)?, &target)?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, dev.join(name))?;
    }
    Ok(())
}

fn attach_at(tree: &OwnedFd, target: &Path) -> io::Result<()> {
    attach(tree, target.to_str().ok_or(io::ErrorKind::InvalidFilename)?)
}
