//! A name server.

use core::cell::RefCell;
use core::net::Ipv4Addr;
use std::rc::Rc;

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};

use crate::executor::spawn;

/// What it answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Nothing.
    Silence,
    /// That it has failed.
    Failure,
    /// This address, whatever the name.
    Address(Ipv4Addr),
}

/// The server; clones are the same one.
#[derive(Clone)]
pub struct Names {
    state: Rc<RefCell<(Answer, u32)>>,
}

impl Names {
    /// On port 53 of this stack.
    #[must_use]
    pub fn new(stack: Stack<'static>, answer: Answer) -> Self {
        let names = Self { state: Rc::new(RefCell::new((answer, 0))) };
        spawn(names.clone().serve(stack));
        names
    }

    /// From now on.
    pub fn set(&self, answer: Answer) {
        self.state.borrow_mut().0 = answer;
    }

    /// Questions so far.
    #[must_use]
    pub fn asked(&self) -> u32 {
        self.state.borrow().1
    }

    async fn serve(self, stack: Stack<'static>) {
        let (mut rx, mut tx) = ([0; 2_048], [0; 2_048]);
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 8], [PacketMetadata::EMPTY; 8]);
        let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        socket.bind(53).expect("a free port");
        let mut question = [0; 512];
        loop {
            let Ok((bytes, from)) = socket.recv_from(&mut question).await else { continue };
            self.state.borrow_mut().1 += 1;
            let answer = self.state.borrow().0.clone();
            if let Some(answer) = respond(&question[..bytes], &answer) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    }
}

/// RFC 1035, as far as one question for one address needs it.
fn respond(question: &[u8], answer: &Answer) -> Option<Vec<u8>> {
    let mut message = question.to_vec();
    // A response, recursion available.
    *message.get_mut(2)? |= 0x80;
    *message.get_mut(3)? = 0x80;
    match answer {
        Answer::Silence => return None,
        Answer::Failure => message[3] |= 2,
        Answer::Address(address) => {
            // One answer: the name of the question, A, IN, 60 seconds, four bytes.
            message.get_mut(6..8)?.copy_from_slice(&[0, 1]);
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            message.extend(address.octets());
        }
    }
    Some(message)
}
