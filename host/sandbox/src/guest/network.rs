//! The network of a guest: wasi:http, and the server behind it.

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use crate::runner::exchanges::Exchanges;

/// Bytes of one write to the body of a request.
const CHUNK: usize = 64 << 10;

/// Where requests go: nowhere, until there is a run.
#[derive(Default)]
pub(crate) struct Network(Option<Exchanges>);

impl Network {
    /// Leads requests to the server, on behalf of a run.
    pub(crate) fn connect(&mut self, exchanges: Exchanges) {
        self.0 = Some(exchanges);
    }
}

type Responding = dyn Future<Output = Result<(http::Response<WasiBody>, Box<Io>)>> + Send;
type Io = dyn Future<Output = Result<()>> + Send;

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<Io>,
    ) -> Box<Responding> {
        let exchanges = self.0.clone();
        Box::new(async move {
            let exchanges = exchanges.ok_or(Error::ConnectionLimitReached)?;
            let response = exchanges.send(request, options).await?;
            Ok((response, Box::new(async { Ok(()) }) as Box<Io>))
        })
    }

    /// The server makes it from the address.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}
