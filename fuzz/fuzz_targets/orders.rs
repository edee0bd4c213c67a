//! What a server that was taken over could send to the broker: a packet that is an order is the order that it spells.
#![no_main]

use udsadmin::broker::Order;

libfuzzer_sys::fuzz_target!(|packet: &[u8]| {
    let Ok(order) = postcard::from_bytes::<Order>(packet) else { return };
    let spelt = postcard::to_stdvec(&order).expect("an order can be spelt");
    assert_eq!(postcard::from_bytes::<Order>(&spelt).expect("what is spelt can be read"), order);
});
