use std::error::Error as _;

use proptest::prelude::*;

use crate::error::ErrorKind;
use crate::store::redis::access::{Access, ClientFiles, TlsFiles};
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::secret::Secret;
use crate::store::redis::url::{Address, Topology};

fn access(user: Option<&str>, password: Option<&str>, database: u32) -> Access {
    let password = password.map(|password| Secret::new(password.to_owned()));
    Access { user: user.map(str::to_owned), password, database, tls: None }
}

fn address(topology: Topology, access: Access) -> Address {
    Address { topology, access, sentinel_access: Access::default(), prefix: "scupper:".to_owned() }
}

fn single(host: &str, port: u16) -> Topology {
    Topology::Single(Endpoint::new(host, port))
}

#[test]
fn every_form_is_read_and_shown_without_its_password() {
    let open = Access::default;
    let nodes = |ports: [u16; 2]| vec![Endpoint::new("a", ports[0]), Endpoint::new("::1", ports[1])];
    let sentinels = |ports| Topology::Sentinel { sentinels: nodes(ports), master: "my master".to_owned() };
    for (url, read, shown) in [
        ("redis://localhost", address(single("localhost", 6379), open()), "redis://localhost:6379"),
        ("Valkey://10.0.0.1:7/", address(single("10.0.0.1", 7), open()), "redis://10.0.0.1:7"),
        ("redis://[::1]/3?", address(single("::1", 6379), access(None, None, 3)), "redis://[::1]:6379/3"),
        ("redis://h/4294967295", address(single("h", 6379), access(None, None, u32::MAX)), "redis://h:6379/4294967295"),
        ("redis://:p%40s%3As@h", address(single("h", 6379), access(None, Some("p@s:s"), 0)), "redis://:***@h:6379"),
        (
            "redis://a%2Fb:p%40s:s@h",
            address(single("h", 6379), access(Some("a/b"), Some("p@s:s"), 0)),
            "redis://a%2Fb:***@h:6379",
        ),
        ("redis://app@h", address(single("h", 6379), access(Some("app"), None, 0)), "redis://app@h:6379"),
        ("redis://app:@h", address(single("h", 6379), access(Some("app"), Some(""), 0)), "redis://app:***@h:6379"),
        ("redis://:@h", address(single("h", 6379), open()), "redis://h:6379"),
        (
            "redis+sentinel://:pw@a,[::1]:2/my%20master/5",
            address(sentinels([26379, 2]), access(None, Some("pw"), 5)),
            "redis+sentinel://:***@a:26379,[::1]:2/my%20master/5",
        ),
        (
            "valkey+sentinel://a:1,[::1]:2/my%20master/",
            address(sentinels([1, 2]), open()),
            "redis+sentinel://a:1,[::1]:2/my%20master",
        ),
        (
            "redis+cluster://a,[::1]",
            address(Topology::Cluster(nodes([6379; 2])), open()),
            "redis+cluster://a:6379,[::1]:6379",
        ),
        (
            "redis+cluster://a:1,[::1]:2/0",
            address(Topology::Cluster(nodes([1, 2])), open()),
            "redis+cluster://a:1,[::1]:2",
        ),
    ] {
        let address: Address = url.parse().unwrap();
        assert_eq!(address, read, "{url}");
        assert_eq!(address.to_string(), shown);
        assert_eq!(shown.parse::<Address>().unwrap().to_string(), shown);
    }
}

#[test]
fn options_are_read() {
    let prefix = |url: &str| url.parse::<Address>().unwrap().prefix;
    assert_eq!(prefix("redis://h?prefix="), "");
    assert_eq!(prefix("redis://h/1?prefix=app%3A%7Bx%7D+/"), "app:{x}+/");

    let url = "rediss+sentinel://a/m?prefix=p&ca=/etc/ca.pem&cert=c%20c.pem&key=k.pem&sentinel_user=s&sentinel_password=x%26y";
    let address: Address = url.parse().unwrap();
    let client = Some(ClientFiles { certificate: "c c.pem".into(), key: "k.pem".into() });
    let tls = Some(TlsFiles { authority: Some("/etc/ca.pem".into()), client });
    assert_eq!(address.access, Access { tls: tls.clone(), ..Access::default() });
    assert_eq!(address.sentinel_access, Access { tls, ..access(Some("s"), Some("x&y"), 0) });
    assert_eq!(
        address.to_string(),
        "rediss+sentinel://a:26379/m?prefix=p&ca=/etc/ca.pem&cert=c%20c.pem&key=k.pem&sentinel_user=s&sentinel_password=***"
    );

    let address: Address = "valkeys+cluster://a".parse().unwrap();
    assert_eq!(address.access.tls, Some(TlsFiles::default()));
    assert_eq!(address.sentinel_access, Access::default());
    assert_eq!(address.to_string(), "rediss+cluster://a:6379");
}

#[test]
fn what_is_wrong_is_named() {
    for (url, says) in [
        ("", "a Redis URL begins with redis://"),
        ("localhost:6379", "a Redis URL begins with redis://"),
        ("http://localhost", "a Redis URL begins with redis://"),
        ("redis+unix://localhost", "a Redis URL begins with redis://"),
        ("redis://", "the host in the Redis URL is empty"),
        ("redis:///1", "the host in the Redis URL is empty"),
        ("redis+cluster://a,,b", "host 2 in the Redis URL is empty"),
        ("redis://a,b", "the Redis URL names several hosts"),
        ("redis://h:0", "the port of the host in the Redis URL is no number"),
        ("redis+cluster://a,b:x", "the port of host 2 in the Redis URL is no number"),
        ("redis://h/cache", "the database in the Redis URL is no number"),
        ("redis://h/-1", "the database in the Redis URL is no number"),
        ("redis://h/1/2", "the database in the Redis URL is no number"),
        ("redis+cluster://a/1", "the Redis URL names a database of a cluster"),
        ("redis+sentinel://a", "the Redis URL names no master"),
        ("redis+sentinel://a//1", "the Redis URL names no master"),
        ("redis+sentinel://a/m/x", "the database in the Redis URL is no number"),
        ("redis+sentinel://a/%m", "the name of the master in the Redis URL has a '%' without"),
        ("redis://%x:p@h", "the user in the Redis URL has a '%' without"),
        ("redis://u:p%@h", "the password in the Redis URL has a '%' without"),
        ("redis://u:%FF@h", "the password in the Redis URL is no UTF-8"),
        ("redis://a:p@s@h", "the Redis URL has a ',' or a second '@' before its hosts"),
        ("redis+cluster://a:p@h,a:p@k", "the Redis URL has a ',' or a second '@' before its hosts"),
        ("redis://:p/w@h", "the Redis URL has a '@' or a '#' where none can be"),
        ("redis://:p#w@h", "the Redis URL has a '@' or a '#' where none can be"),
        ("redis://:p?w@h", "the Redis URL has a '@' or a '#' where none can be"),
        ("redis://h?prefix=a%2", "the option prefix in the Redis URL has a '%' without"),
        ("redis://h?timeout=5", "option `timeout` in the Redis URL is not known; with redis:// there is: prefix"),
        ("rediss://h?x=", "option `x` in the Redis URL is not known; with rediss:// there is: prefix, ca, cert, key"),
        ("redis://h?prefix=a&b%20=c", "option 2 in the Redis URL is not known"),
        ("redis://h?prefix", "option 1 in the Redis URL has no value"),
        ("redis://h?prefix=a&prefix=b", "the option prefix stands twice in the Redis URL"),
        ("redis://h?ca=x", "the option ca in the Redis URL goes with TLS"),
        ("redis://h?sentinel_user=x", "the option sentinel_user in the Redis URL goes with redis+sentinel://"),
        ("redis+sentinel://h/m?sentinel_password=p&w=x", "option 2 in the Redis URL is not known"),
        ("rediss://h?ca=", "the option ca in the Redis URL is empty"),
        ("rediss://h?cert=x", "the option cert in the Redis URL goes with the option key"),
        ("rediss://h?key=x", "the option key in the Redis URL goes with the option cert"),
    ] {
        let error = url.parse::<Address>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().starts_with(says), "{url}: {error}");
    }
}

/// In no message, and in no text that stands around a password below.
const SECRET: &str = "Zq7";

fn around_a_password() -> impl Strategy<Value = String> {
    let noise = || "[a-z0-9:/?#@%&=,+\\[\\] é.-]{0,6}";
    let scheme = prop::sample::select(vec!["redis", "rediss", "redis+sentinel", "rediss+cluster", "valkey"]);
    let query = prop::sample::select(vec!["", "?prefix=x", "/m/1?sentinel_password=", "/?ca=x&", "/0"]);
    (scheme, noise(), noise(), noise(), noise(), query, noise()).prop_map(
        |(scheme, user, before, after, host, query, end)| {
            let password = format!("{SECRET}{before}{SECRET}{after}{SECRET}");
            let in_query = if query.ends_with("password=") { SECRET } else { "" };
            format!("{scheme}://{user}:{password}@{host}{query}{in_query}{end}")
        },
    )
}

proptest! {
    #[test]
    fn no_text_brings_it_down(text in ".*", rest in ".*", likely in "(redis|valkeys)(\\+(sentinel|cluster))?://[a-z:/?#@%&=,\\[\\]0-9]*") {
        for text in [text, format!("redis://{rest}"), likely] {
            if let Ok(address) = text.parse::<Address>() {
                let shown = address.to_string();
                let again: Address = shown.parse().unwrap();
                prop_assert_eq!(again.to_string(), shown);
                prop_assert_eq!(again.topology, address.topology);
                prop_assert_eq!(again.access.user, address.access.user);
                prop_assert_eq!(again.access.tls, address.access.tls);
                prop_assert_eq!(again.prefix, address.prefix);
            }
        }
    }

    #[test]
    fn no_message_shows_a_password(url in around_a_password()) {
        match url.parse::<Address>() {
            Err(error) => {
                let said = format!("{error} {error:?} {:?}", error.source());
                prop_assert!(!said.contains(SECRET), "{}", said);
            }
            Ok(address) => {
                let Access { password, .. } = &address.access;
                let hidden = password.as_ref().map_or("", Secret::reveal);
                prop_assert!(hidden.contains(SECRET));
                let shown = format!("{address} {address:?}");
                prop_assert!(!shown.contains(SECRET));
            }
        }
    }
}
