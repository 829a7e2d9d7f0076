//! Values that an option gives, or a variable of the environment in its place.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command, Error};

/// A text, and what gave it. It is never empty.
#[derive(Clone)]
pub(crate) struct Given {
    text: String,
    by: String,
}

impl Given {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The option, or the variable.
    pub(crate) fn by(&self) -> &str {
        &self.by
    }
}

/// Without the text: it may have a password in it.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("by", &self.by).finish_non_exhaustive()
    }
}

/// Reads a [`Given`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenParser;

impl TypedValueParser for GivenParser {
    type Value = Given;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Given, Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Given, Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value)?;
        let variable = arg.and_then(Arg::get_env).filter(|_| source == ValueSource::EnvVariable);
        let option = || format!("--{}", arg.and_then(Arg::get_long).unwrap_or_default());
        let by = variable.map_or_else(option, |variable| variable.to_string_lossy().into_owned());
        if text.is_empty() {
            let right =
                if variable.is_some() { "set it to something, or unset it" } else { "write something after it" };
            return Err(command.clone().error(ErrorKind::InvalidValue, format!("{by} is empty: {right}")));
        }
        Ok(Given { text, by })
    }
}
