/**
 * The few Linux calls that Node lacks, each a thin, typed wrapper. They throw plain errors whose `code` is the errno's name, and ERR_CLOSED for use
 * after `close()`; the hot ones return `-errno` instead (see `errnoName`).
 *
 * @module bpf-loader-ts/sys
 */
export { openHandles } from '../leaks.js';
export * from './change-sender.js';
export * from './clock.js';
export * from './epoll.js';
export * from './ethtool.js';
export * from './fd.js';
export * from './netlink-socket.js';
export * from './netns.js';
export * from './paced-sender.js';
export * from './packet.js';
export * from './tap.js';
export * from './thread.js';
export * from './watch.js';
