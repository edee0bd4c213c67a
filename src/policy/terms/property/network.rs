//! Networks as systemd takes them: `10.0.0.0/8`, `localhost`. Looks nothing up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address family (`AF_INET`, `AF_INET6` of socket(2)), an address, and the bits of it that count.
pub(super) type Network = (i32, Vec<u8>, u32);

/// A name, and the network of each family that it stands for.
type Named = (&'static str, (Ipv4Addr, u32), (Ipv6Addr, u32));

/// The names for networks (systemd.resource-control(5), `IPAddressAllow=`).
const NAMED: [Named; 4] = [
    ("any", (Ipv4Addr::UNSPECIFIED, 0), (Ipv6Addr::UNSPECIFIED, 0)),
    ("localhost", (Ipv4Addr::new(127, 0, 0, 0), 8), (Ipv6Addr::LOCALHOST, 128)),
    ("link-local", (Ipv4Addr::new(169, 254, 0, 0), 16), (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64)),
    ("multicast", (Ipv4Addr::new(224, 0, 0, 0), 4), (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)),
];

/// The networks of one word: a name stands for one of each family.
pub(super) fn networks(text: &str) -> Result<Vec<Network>, String> {
    if let Some((_, four, six)) = NAMED.iter().find(|(name, _, _)| *name == text) {
        return Ok(vec![network(four.0.into(), four.1), network(six.0.into(), six.1)]);
    }
    let message = || format!("{text:?} is no network: \"10.0.0.0/8\", \"::1\", \"any\", \"localhost\"");
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| message())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), str::parse).map_err(|_| message())?;
    (bits <= most).then(|| vec![network(address, bits)]).ok_or_else(message)
}

fn network(address: IpAddr, bits: u32) -> Network {
    match address {
        IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec(), bits),
        IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec(), bits),
    }
}
