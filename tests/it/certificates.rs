//! Throw-away certificates by the machine's `openssl`: two authorities, and what each of them vouches for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = "[ca]
default_ca = test
[test]
serial = serial
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
[any]
countryName = optional
organizationName = optional
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1
";

const NEW_KEY: [&str; 6] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-batch",
];

/// A folder of `NAME.pem` and `NAME.key`.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// `ca` vouches for `server`, `client` and `expired`, all under localhost; `other` for `stranger`.
    pub(crate) fn make(folder: &Path) -> Self {
        let made = Self {
            folder: folder.to_owned(),
        };
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.cnf"), CONFIG).unwrap();
        fs::write(folder.join("serial"), "01\n").unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        for authority in ["ca", "other"] {
            let constraints = ["-addext", "basicConstraints=critical,CA:TRUE"];
            made.request(
                authority,
                &format!("/CN={authority}"),
                &[&["-x509", "-days", "2"], constraints.as_slice()].concat(),
                ".pem",
            );
        }
        for (name, authority) in [("server", "ca"), ("client", "ca"), ("stranger", "other")] {
            made.issue(name, authority, &format!("/CN={name}"));
        }
        made.request("expired", "/CN=expired", &[], ".csr");
        made.sign("expired", "ca", "20200101000000Z", "20200201000000Z");
        made
    }

    pub(crate) fn pem(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("pem")
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("key")
    }

    /// One more, for a hundred years.
    pub(crate) fn issue(&self, name: &str, authority: &str, subject: &str) {
        self.request(name, subject, &[], ".csr");
        self.sign(name, authority, "20200101000000Z", "21200101000000Z");
    }

    /// As `openssl x509 -serial` prints it.
    pub(crate) fn serial(&self, name: &str) -> String {
        self.printed(name, "serial=", &["-serial"])
    }

    /// RFC 4514, other letters than ASCII as they are.
    pub(crate) fn subject(&self, name: &str) -> String {
        self.printed(name, "subject=", &["-subject", "-nameopt", "RFC2253,utf8,-esc_msb"])
    }

    fn printed(&self, name: &str, label: &str, what: &[&str]) -> String {
        let mut command = Command::new("openssl");
        let ran = command
            .args(["x509", "-noout", "-in"])
            .arg(self.pem(name))
            .args(what)
            .output();
        let said = String::from_utf8(ran.unwrap().stdout).unwrap();
        said.trim().trim_start_matches(label).to_owned()
    }

    fn request(&self, name: &str, subject: &str, more: &[&str], extension: &str) {
        let (key, out) = (format!("{name}.key"), format!("{name}{extension}"));
        let files = ["-keyout", &key, "-out", &out, "-utf8", "-subj", subject];
        self.openssl(&[&["req", "-new"], NEW_KEY.as_slice(), &files, more].concat());
    }

    fn sign(&self, name: &str, authority: &str, start: &str, end: &str) {
        let [request, out, cert, key] =
            [(name, "csr"), (name, "pem"), (authority, "pem"), (authority, "key")].map(|(name, end)| format!("{name}.{end}"));
        let files = ["-in", &request, "-out", &out, "-cert", &cert, "-keyfile", &key];
        let how = ["-batch", "-notext", "-config", "ca.cnf", "-extensions", "leaf"];
        let dates = ["-startdate", start, "-enddate", end];
        self.openssl(&[&["ca"], how.as_slice(), &files, &dates].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(&self.folder).output();
        let ran = ran.expect("openssl: apt-get install openssl");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "openssl {arguments:?}: {said}");
    }
}
