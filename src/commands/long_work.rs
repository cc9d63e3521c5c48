//! Work of the service that takes long and says how far it is.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use crate::cli::Shown;
use crate::client::{Caller, with_client};
use crate::config::Settings;
use crate::failure::Failure;
use crate::output::Output;

/// What is asked for, and what it is counted in.
pub(super) struct LongWork<'w> {
    pub(super) path: &'w str,
    pub(super) order: Option<&'w Value>,
    pub(super) unit: &'w str,
}

impl LongWork<'_> {
    /// Has it done, with a bar for whoever watches, moved by `progress` at every line of the answer. Gives the
    /// last line. An answer that breaks off is an error.
    pub(super) fn follow(
        &self,
        settings: &Settings,
        shown: Shown,
        progress: impl Fn(&ProgressBar, &Value),
    ) -> Result<Value, Failure> {
        let bar = bar(self.unit);
        let mut out = Output::new();
        let mut last = Value::Null;
        with_client(settings, async |client| {
            let reply = client.send(Caller::Operator, Method::POST, self.path, self.order).await?;
            reply
                .lines(|line| {
                    if let Some(message) = line.pointer("/error/message").and_then(Value::as_str) {
                        return Err(Failure::failed(message));
                    }
                    progress(&bar, &line);
                    if shown.json {
                        out.json(&line)?;
                        out.flush()?;
                    }
                    last = line;
                    Ok(())
                })
                .await
        })?;
        bar.finish_and_clear();
        if last["finished"] != true {
            return Err(Failure::failed(
                "the answer ended before the work did: run it again, it goes on where it stopped",
            ));
        }
        out.done()?;
        Ok(last)
    }
}

/// Moves a bar to where work stands that knows how much there is.
pub(super) fn of_total(bar: &ProgressBar, line: &Value) {
    bar.set_length(line["total"].as_u64().unwrap_or(0));
    bar.set_position(line["done"].as_u64().unwrap_or(0));
}

/// A progress bar for whoever watches, and none for a log file.
fn bar(unit: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = format!("{{bar:40}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template)
        .expect("the template is well formed: a test builds it");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_can_be_built() {
        super::bar("bodies").finish_and_clear();
    }
}
