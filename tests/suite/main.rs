//! Both programs as they are built, started the way systemd starts them, and what must be true of them from outside.

#[cfg(test)]
mod activation;
#[cfg(test)]
mod agreement;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod client;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod during;
#[cfg(test)]
mod execution;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod finals;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod gone;
#[cfg(test)]
mod input;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod make_way;
#[cfg(test)]
mod manner;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod people;
#[cfg(test)]
mod process;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod seam;
#[cfg(test)]
mod session;
#[cfg(test)]
mod source;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod world;
#[cfg(test)]
mod worlds;
