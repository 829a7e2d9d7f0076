use std::fmt;

/// What stands before `://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scheme {
    pub(super) layout: Layout,
    pub(super) has_tls: bool,
}

/// How many servers there are, and who says which of them to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Single,
    Sentinel,
    Cluster,
}

impl Scheme {
    /// `None` for what is none of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (server, layout) = match text.split_once('+') {
            None => (text.as_str(), Layout::Single),
            Some((server, "sentinel")) => (server, Layout::Sentinel),
            Some((server, "cluster")) => (server, Layout::Cluster),
            Some(_) => return None,
        };
        match server {
            "redis" | "valkey" => Some(Self { layout, has_tls: false }),
            "rediss" | "valkeys" => Some(Self { layout, has_tls: true }),
            _ => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.has_tls { "rediss" } else { "redis" })?;
        f.write_str(match self.layout {
            Layout::Single => "",
            Layout::Sentinel => "+sentinel",
            Layout::Cluster => "+cluster",
        })
    }
}
