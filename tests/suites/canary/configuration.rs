//! What a person's browser brings, and what a proxy and configuration hold.

use std::sync::Arc;

use auth_core::jwt::SigningKey;
use auth_core::oauth::{ErrorResponse, TokenResponse};
use auth_core::renewal::Attempt;
use auth_core::{Secret, Token};
use auth_http::client::{HyperClient, Proxy};
use auth_http::freshness::SystemFreshness;
use auth_http::grant::{DeviceCode, Grant as _};
use auth_http::wire::{AuthorizationEndpoint, TokenEndpoint, TokenForm, Wanted};
use realtime_auth_tests::script::{Answer, Script};

use super::shown::{Shown, forms};
use super::{CANARY, LETTERS, NoDelay, device_login, http, key, secret};

#[tokio::test]
async fn a_login_and_a_configuration_show_no_secret_right_or_wrong() {
    let mut shown = Shown::default();
    let endpoint = AuthorizationEndpoint::new("https://as.example/a", "c", "https://app.example/").unwrap();
    let wanted = Wanted::new().with_parameter("login_hint", CANARY).unwrap();
    let login = endpoint.begin(wanted, &SystemFreshness);
    let url = login.url();
    let state = url.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap().to_owned();
    for answer in [
        format!("?code={CANARY}&state={state}"),
        format!("?code={CANARY}&state={CANARY}"),
        format!("?code={CANARY}&code={CANARY}&state={state}"),
        format!("?error={CANARY}&error_description={CANARY}&state={state}"),
        format!("?error={LETTERS}&state={state}"),
        format!("?iss={CANARY}&code={CANARY}&state={state}"),
    ] {
        shown.outcome(&login.read(&answer));
    }
    shown.debug(&login);
    let code = login.read(&format!("?code={CANARY}&state={state}")).unwrap();
    shown.debug(&code.form());
    let form = String::from_utf8_lossy(
        TokenEndpoint::new("https://as.example/t", "c", secret())
            .unwrap()
            .request(&code.form(), None)
            .unwrap()
            .body(),
    )
    .into_owned();
    let verifier = form.split('&').find_map(|pair| pair.strip_prefix("code_verifier=")).unwrap().to_owned();

    shown.debug(&Proxy::new(&format!("http://u:{CANARY}@proxy.example")));
    shown.debug(&Proxy::new(&format!("socks5://u:{CANARY}@proxy.example")));
    shown.debug(&HyperClient::builder().with_proxy(Proxy::new(&format!("http://u:{CANARY}@p")).unwrap()));
    shown.debug(&key());
    shown.debug(&SigningKey::from_jwk(&Secret::from(format!(r#"{{"kty":"EC","d":"{CANARY}"}}"#))));
    shown.debug(&SigningKey::from_pem(&secret()));
    shown.debug(&TokenForm::device_code(&secret()));
    shown.debug(&TokenResponse::new(secret()).with_refresh_token(secret()));
    shown.debug(&Token::new(secret()));
    shown.debug(&Attempt::new(Some(secret())));
    shown.debug(&ErrorResponse::of(CANARY));
    shown.debug(&ErrorResponse::of(LETTERS));
    let server = Script::serve(vec![Answer::HangUp]).await.unwrap();
    let token = TokenEndpoint::new(server.url(), "c", secret()).unwrap();
    let login = device_login();
    let grant = DeviceCode::new(token, http(), &login, Arc::new(NoDelay));
    shown.outcome(&grant.obtain(&Attempt::new(None)).await);
    shown.debug(&grant);
    shown.debug(&login);
    let mut forms = forms(&[]);
    forms.extend([state, verifier]);
    shown.holds_none_of(&forms);
}
