//! The client's end of one TCP connection: cheap, since it must not disturb what it measures.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};

use crate::Result;

/// A place to read into that all connections of a generator share: what is read is looked at before
/// another reads.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; 64 * 1024])))
    }
}

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    scratch: Scratch,
    /// The beginning of something whose end has not arrived; mostly empty.
    rest: Vec<u8>,
    /// What the system has not taken yet; mostly empty.
    unsent: Vec<u8>,
}

/// Looks at what has arrived, and returns how much of it is done with.
pub(crate) type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<usize>;

impl Wire {
    pub(crate) fn new(stream: TcpStream, scratch: &Scratch) -> Self {
        Self { stream, scratch: scratch.clone(), rest: Vec::new(), unsent: Vec::new() }
    }

    /// Sends `bytes` in one write; what the system does not take goes as soon as something is
    /// waited for here.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend(bytes);
            return Ok(());
        }
        let written = match self.stream.try_write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(lost(&error)),
        };
        self.unsent.extend(&bytes[written..]);
        Ok(())
    }

    /// Waits for something to arrive, and shows it to `take`, after what that left of what came
    /// before.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: Take<'_>,
    ) -> Poll<Result<()>> {
        self.flush(context)?;
        let mut scratch = self.scratch.0.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
        read.map_err(|error| lost(&error))?;
        let arrived = buffer.filled();
        if arrived.is_empty() {
            return Poll::Ready(Err("the server closed a connection".into()));
        }
        if self.rest.is_empty() {
            let used = take(arrived)?;
            self.rest = arrived[used..].to_vec();
        } else {
            self.rest.extend(arrived);
            let used = take(&self.rest)?;
            self.rest = self.rest[used..].to_vec();
        }
        Poll::Ready(Ok(()))
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Result<()> {
        while !self.unsent.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.unsent) {
                Poll::Ready(Ok(written)) => drop(self.unsent.drain(..written)),
                Poll::Ready(Err(error)) => return Err(lost(&error)),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }
}

fn lost(error: &io::Error) -> Box<dyn std::error::Error> {
    format!("a connection to the server broke: {error}").into()
}
