//! Connections that can be harmed: a proxy between each gateway and each service; and the counterparties' admin ports.

use crate::proxy::{Fault, Proxy};
use tokio::runtime::Runtime;

pub(super) struct Links {
    runtime: Runtime,
    /// By gateway.
    pub(super) broker: Vec<Proxy>,
    pub(super) platform: Vec<Proxy>,
    /// None where the journal is a file.
    pub(super) database: Vec<Proxy>,
    /// Admin ports of the centre and of the bank's platform.
    pub(super) parties: [String; 2],
}

impl Links {
    pub(super) fn new(gateways: usize, broker: &str, platform: &str, database: Option<&str>) -> Self {
        let runtime = Runtime::new().unwrap();
        let proxies = |target: &str| {
            let one = |_| runtime.block_on(Proxy::to(target));
            (0..gateways).map(one).collect::<Vec<_>>()
        };
        Self {
            broker: proxies(broker),
            platform: proxies(platform),
            database: database.map(proxies).unwrap_or_default(),
            parties: Default::default(),
            runtime,
        }
    }

    pub(super) fn inflict(&self, proxy: &Proxy, fault: &Fault) {
        self.runtime.block_on(proxy.inflict(fault));
    }

    /// Inflicts a fault for a while; then its connections are gone, and later ones are sound.
    pub(super) fn suffer(&self, proxy: &Proxy, fault: &Fault, awhile: impl FnOnce()) {
        self.inflict(proxy, fault);
        awhile();
        self.inflict(proxy, &Fault::Cut);
    }
}
