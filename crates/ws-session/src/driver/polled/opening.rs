//! Opening a connection: reaching the server, and the upgrade.

use std::sync::Arc;

use http::HeaderMap;

use super::ahead::BITE;
use super::runtime::Runtime;
use super::socket::Socket;
use crate::dialect::UpgradeRequest;
use crate::driver::Target;
use crate::driver::wire::{self, NotOpened};

pub(super) type Opened = Result<Socket, NotOpened>;

pub(super) async fn connect(
    runtime: Arc<dyn Runtime>,
    target: Target,
    upgrade: UpgradeRequest,
    headers: HeaderMap,
) -> Opened {
    let mut request = wire::request(&upgrade)?;
    request.headers_mut().extend(headers);
    let server = target.server(upgrade.url().expose()).map_err(|error| NotOpened::server(&error))?;
    let stream = runtime.connect(server).await.map_err(|error| NotOpened::tls(&error))?;
    let limits = wire::limits()
        .read_buffer_size(BITE)
        .max_message_size(Some(wire::LARGEST_OF_A_LOGIN))
        .max_frame_size(Some(wire::LARGEST_OF_A_LOGIN));
    let (socket, response) = Socket::upgrade(request, stream, limits).await.map_err(NotOpened::upgrade)?;
    wire::check(&upgrade, &response)?;
    Ok(socket)
}
