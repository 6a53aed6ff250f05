//! SASL with a broker. The mechanism is configured, never negotiated down.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};

use super::connect::{ConnectError, Stream, ask};
use super::scram::{Exchange, Hash};
use crate::config::{KafkaConfig, Secret};
use crate::kafka::write::cut;
use crate::kafka::{Malformed, Reader, Writer};

const HANDSHAKE: i16 = 17;
const AUTHENTICATE: i16 = 36;
/// Of a broker's words, so many bytes reach the log.
const MAX_MESSAGE: usize = 256;

/// Mechanism and credentials.
#[derive(Clone, Debug, Default)]
pub(crate) enum Sasl {
    #[default]
    None,
    Plain(Credentials),
    Scram(Hash, Credentials),
}

#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    user: String,
    password: Secret,
}

impl Sasl {
    /// # Errors
    /// An unknown mechanism, no password, or a password that would cross the network in the clear.
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self, String> {
        if config.sasl.is_empty() {
            return Ok(Self::None);
        }
        let password = crate::access::keys::secret(&config.password, &config.password_file)
            .map_err(|problem| format!("kafka.password: {problem}"))?;
        let credentials = Credentials { user: config.username.clone(), password };
        match config.sasl.as_str() {
            "plain" if config.tls || config.danger_plain_without_tls => {
                Ok(Self::Plain(credentials))
            }
            "plain" => Err("kafka.sasl: plain sends the password in the clear; set kafka.tls, or \
                            kafka.danger_plain_without_tls"
                .to_owned()),
            "scram-sha-256" => Ok(Self::Scram(Hash::Sha256, credentials)),
            "scram-sha-512" => Ok(Self::Scram(Hash::Sha512, credentials)),
            other => {
                Err(format!("kafka.sasl: {other:?} is none of plain, scram-sha-256, scram-sha-512"))
            }
        }
    }

    const fn name(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Plain(_) => Some("PLAIN"),
            Self::Scram(Hash::Sha256, _) => Some("SCRAM-SHA-256"),
            Self::Scram(Hash::Sha512, _) => Some("SCRAM-SHA-512"),
        }
    }

    /// Authenticates on a new connection.
    pub(crate) async fn run(&self, stream: &mut Stream) -> Result<(), ConnectError> {
        let Some(name) = self.name() else { return Ok(()) };
        handshake(stream, name).await?;
        match self {
            Self::None => {}
            Self::Plain(Credentials { user, password }) => {
                let token = format!("\0{user}\0{}", password.expose());
                authenticate(stream, token.as_bytes()).await?;
            }
            Self::Scram(hash, credentials) => scram(stream, *hash, credentials.clone()).await?,
        }
        Ok(())
    }
}

async fn scram(stream: &mut Stream, hash: Hash, with: Credentials) -> Result<(), ConnectError> {
    let mut nonce = [0; 24];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| refused("the system has no random numbers"))?;
    let exchange = Exchange::new(hash, &with.user, STANDARD.encode(nonce));
    let server = authenticate(stream, exchange.first().as_bytes()).await?;
    let server = String::from_utf8(server).map_err(|_| ConnectError::Protocol)?;
    let (last, proof) =
        tokio::task::spawn_blocking(move || exchange.last(with.password.expose(), &server))
            .await
            .map_err(|_| refused("SCRAM was given up"))?
            .map_err(refused)?;
    let server = authenticate(stream, last.as_bytes()).await?;
    let server = String::from_utf8(server).map_err(|_| ConnectError::Protocol)?;
    match proof.check(&server) {
        true => Ok(()),
        false => Err(refused("the broker could not prove that it knows the password")),
    }
}

async fn handshake(stream: &mut Stream, name: &str) -> Result<(), ConnectError> {
    let mut body = Writer::plain();
    body.set_flexible(false);
    body.string(name);
    let answer = ask(stream, HANDSHAKE, 1, &body.into_bytes()).await?;
    match Reader::new(&answer, false).i16()? {
        0 => Ok(()),
        code => Err(ConnectError::Sasl(format!("{name} is refused with error {code}"))),
    }
}

async fn authenticate(stream: &mut Stream, token: &[u8]) -> Result<Vec<u8>, ConnectError> {
    let mut body = Writer::plain();
    body.set_flexible(false);
    body.bytes(token);
    let answer = ask(stream, AUTHENTICATE, 0, &body.into_bytes()).await?;
    let mut answer = Reader::new(&answer, false);
    let (code, message) = (answer.i16()?, answer.nullable_string()?);
    if code != 0 {
        let message = cut(message.unwrap_or_default(), MAX_MESSAGE).escape_debug();
        return Err(ConnectError::Sasl(format!("error {code}: {message}")));
    }
    Ok(answer.nullable_bytes()?.unwrap_or_default().to_vec())
}

fn refused(why: &str) -> ConnectError {
    ConnectError::Sasl(why.to_owned())
}

impl From<Malformed> for ConnectError {
    fn from(Malformed: Malformed) -> Self {
        Self::Protocol
    }
}
