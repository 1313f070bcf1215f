//! Who gets to see a token, and what becomes of a refused one.

use std::sync::Mutex;

use async_trait::async_trait;
use auth_core::source::FixedToken;

use super::*;

/// A server that keeps what it was sent, and answers by these statuses, the last one for ever.
struct Server {
    statuses: Vec<u16>,
    requests: Mutex<Vec<Request<Bytes>>>,
}

#[async_trait]
impl HttpExchange for Server {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let mut requests = self.requests.lock().unwrap();
        let status = self.statuses.get(requests.len()).or_else(|| self.statuses.last()).unwrap();
        requests.push(request);
        Ok(Response::builder()
            .status(*status)
            .header("location", "https://elsewhere/")
            .body(Bytes::new())
            .unwrap())
    }
}

/// One fresh token for each demand, and what was demanded.
#[derive(Default)]
struct Tokens(Mutex<Vec<Demand>>);

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let mut demands = self.0.lock().unwrap();
        demands.push(demand);
        Ok(Token::new(Secret::from(format!("canary-{}", demands.len()))))
    }
}

fn client(tokens: Arc<dyn TokenSource>, statuses: &[u16]) -> (BearerClient, Arc<Server>) {
    let server = Arc::new(Server { statuses: statuses.to_vec(), requests: Mutex::default() });
    let client = BearerClient::new(tokens, Arc::clone(&server) as _);
    (client.with_origin("https://api.example.com/v1").unwrap(), server)
}

fn to(url: &str) -> Request<Bytes> {
    let request = Request::post(url).header("host", "elsewhere").header("authorization", "Basic mine");
    request.body(Bytes::from_static(b"body")).unwrap()
}

fn presented(server: &Server) -> Vec<String> {
    let requests = server.requests.lock().unwrap();
    let value = |request: &Request<Bytes>| request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
    requests.iter().map(value).collect()
}

#[tokio::test]
async fn a_token_goes_to_its_origins_and_nowhere_else() {
    let tokens = Arc::new(Tokens::default());
    let (client, server) = client(Arc::clone(&tokens) as _, &[200]);
    for url in [
        "https://api.example.com:444/v1",
        "http://api.example.com/v1",
        "https://api.example.com.evil.example/v1",
        "https://evil.example/api.example.com",
        "https://user@api.example.com/v1",
        "https://api.example.com@evil.example/v1",
        "ftp://api.example.com/v1",
        "/v1/messages",
        "api.example.com:443",
    ] {
        let error = client.request(to(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        assert!(client.check(url).is_err(), "{url}");
    }
    assert!(client.check("no URL at all").is_err() && client.check("ws://api.example.com/").is_err());
    assert!(tokens.0.lock().unwrap().is_empty(), "no token was even asked for");
    assert!(server.requests.lock().unwrap().is_empty());

    for url in ["https://api.example.com/", "https://API.example.com:443/v2?x=1", "https://api.example.com:/"]
    {
        assert_eq!(client.request(to(url)).await.unwrap().status(), 200, "{url}");
    }
    assert!(client.check("wss://api.example.com/stream").is_ok());
}

#[tokio::test]
async fn the_token_takes_the_place_of_what_the_request_says_of_itself() {
    let (client, server) = client(Arc::new(Tokens::default()), &[200]);
    client.request(to("https://api.example.com/v1")).await.unwrap();
    let request = server.requests.lock().unwrap().remove(0);
    let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer canary-1"]);
    assert!(request.headers().get(HOST).is_none());
    assert!(!format!("{request:?}{client:?}").contains("canary"));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let tokens = Arc::new(Tokens::default());
    let (client, server) = client(Arc::clone(&tokens) as _, &[401]);
    let response = client.request(to("https://api.example.com/v1")).await.unwrap();
    assert_eq!(response.status(), 401, "the second verdict is the caller's");
    assert_eq!(presented(&server), ["Bearer canary-1", "Bearer canary-2"]);
    let first = Token::new(Secret::from("x")).generation();
    assert_eq!(*tokens.0.lock().unwrap(), [Demand::Current, Demand::InsteadOf(first)]);
    let bodies: Vec<_> = server.requests.lock().unwrap().iter().map(|sent| sent.body().clone()).collect();
    assert_eq!(bodies, ["body", "body"]);
}

#[tokio::test]
async fn other_statuses_are_handed_back_and_nothing_is_followed_or_repeated() {
    for status in [200, 204, 302, 400, 403, 407, 429, 500, 503] {
        let (client, server) = client(Arc::new(Tokens::default()), &[status]);
        assert_eq!(client.request(to("https://api.example.com/v1")).await.unwrap().status(), status);
        assert_eq!(presented(&server), ["Bearer canary-1"], "{status}");
    }
}

#[tokio::test]
async fn where_there_is_no_other_token_the_reason_is_told() {
    let only = Arc::new(FixedToken::new(Token::new(Secret::from("t"))));
    let (client, server) = client(only, &[401]);
    let error = client.request(to("https://api.example.com/v1")).await.unwrap_err();
    assert_eq!((error.kind(), presented(&server).len()), (ErrorKind::InvalidToken, 1));
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_not_sent() {
    let broken = Arc::new(FixedToken::new(Token::new(Secret::from("canary\r\nX: y"))));
    let (client, server) = client(broken, &[200]);
    let error = client.request(to("https://api.example.com/v1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_not_presented_without_its_proof() {
    let token = Token::new(Secret::from("t")).with_type(TokenType::Dpop);
    let (client, server) = client(Arc::new(FixedToken::new(token)), &[200]);
    let error = client.request(to("https://api.example.com/v1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(server.requests.lock().unwrap().is_empty());
}

#[test]
fn an_origin_is_encrypted_or_on_this_machine() {
    let (client, _) = client(Arc::new(Tokens::default()), &[200]);
    let refused = |url: &str| client.clone().with_origin(url).map(drop).unwrap_err();
    assert_eq!(refused("http://api.example.com/"), ConfigError::Plaintext);
    assert_eq!(refused("api.example.com"), ConfigError::NotAUrl);
    let local = client.with_origin("http://[::1]:8080/").unwrap();
    assert!(local.check("http://[::1]:8080/x").is_ok() && local.check("ws://[::1]:8080/x").is_ok());
    assert!(local.check("http://[::1]/x").is_err() && local.check("http://127.0.0.1:8080/x").is_err());
}
