//! The table `[metrics]` of the gateway's configuration file: where Prometheus scrapes what the gateway counts.

use std::net::SocketAddr;
use std::sync::Arc;

use audit::Trail;
use audit::metrics::Metrics;
use auth_core::observe::Unconfirmed;
use auth_core::{AuthEvent, Observer as _};
use gateway::Config;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricsTable {
    listen: SocketAddr,
}

impl MetricsTable {
    pub(crate) const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Serves the metrics of the trail; where there is none, those of the events alone.
    pub(crate) fn serve(self, config: Config, trail: Option<&Trail>) -> Config {
        if let Some(trail) = trail {
            let metrics = Arc::clone(trail.metrics());
            return config.with_metrics(self.listen, move || metrics.prometheus());
        }
        let metrics = Arc::new(Metrics::new());
        let observing = Arc::clone(&metrics);
        let observer = Unconfirmed(move |event: &AuthEvent| observing.observe(event));
        config.with_recorder(Arc::new(observer)).with_metrics(self.listen, move || metrics.prometheus())
    }
}
