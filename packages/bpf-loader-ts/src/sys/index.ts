/** The few Linux calls that Node lacks. Everything here is a thin, typed wrapper; meaning is added elsewhere. */
export { openHandles } from '../leaks.js';
export * from './clock.js';
export * from './epoll.js';
export * from './ethtool.js';
export * from './fd.js';
export * from './netlink-socket.js';
export * from './netns.js';
export * from './packet.js';
export * from './tap.js';
export * from './thread.js';
export * from './watch.js';
