export { Qmp, type QmpEvent } from './qmp.js';
