//! Which spec, and which keys, a command means by `-l NAME`: a link of the configuration, or a codec by its own name.

use crate::cli::output::Failure;
use codecs::spec::{Spec, Specs};
use hangu::config::Config;
use hangu::start::spec_of;
use std::path::Path;
use std::sync::Arc;

/// A link as a command sees it.
pub(crate) struct LinkSpec {
    pub(crate) name: String,
    pub(crate) spec: Arc<Spec>,
    /// Absent when no configuration was found: only what needs no key can be done.
    pub(crate) config: Option<Config>,
}

/// Finds a link. A configuration that was named must be readable; the usual one may be absent.
pub(crate) fn link_spec(name: &str, config: Option<&Path>) -> Result<LinkSpec, Failure> {
    let usual = Path::new("hangu.toml");
    let config = match config {
        Some(path) => Some(Config::load(path)?),
        None if usual.exists() => Some(Config::load(usual)?),
        None => None,
    };
    let further = config.as_ref().and_then(|config| config.codecs.folder.as_deref());
    let specs = hangu::config::specs(further)?;
    let spec = match config.as_ref().and_then(|config| config.link.get(name)) {
        Some(link) => spec_of(&specs, name, link)?,
        None => specs
            .spec(name)
            .cloned()
            .ok_or_else(|| unknown(name, config.as_ref(), &specs))?,
    };
    Ok(LinkSpec {
        name: name.to_owned(),
        spec,
        config,
    })
}

fn unknown(name: &str, config: Option<&Config>, specs: &Specs) -> Failure {
    let links = config.map_or_else(
        || "none (no configuration: give -c)".to_owned(),
        |config| config.link.keys().cloned().collect::<Vec<_>>().join(", "),
    );
    let codecs = specs.iter().map(|spec| spec.codec.clone()).collect::<Vec<_>>().join(", ");
    Failure::config(
        "--link",
        format!("no link or codec is named {name}; links: {links}; codecs: {codecs}"),
    )
}
