// Groups the API reference by the folder or file that a thing comes from, which is its concept: no tags in the sources. Types of parameters
// and results stand in the signatures alone.
import { Application, CommentTag, Converter } from 'typedoc';
import { MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown';

/** By `folder`, or `folder/file` of src. In the order of the reference. */
const TITLES = {
  object: 'Objects',
  typed: 'Generated modules',
  bpf2ts: 'Generated modules',
  codec: 'Codecs',
  btf: 'BTF',
  program: 'Programs',
  map: 'Maps',
  ringbuf: 'Ring buffers',
  link: 'Links',
  probe: 'Probes',
  'kernel/pin': 'Pins',
  'kernel/memlock': 'Memory limits',
  'kernel/accounting': 'Memory limits',
  libbpf: 'libbpf',
  errors: 'Errors',
  handle: 'Handles',
  leaks: 'Handles',
  constants: 'Constants',
  'sys/netns': 'Network namespaces',
  'sys/packet': 'Sockets',
  'sys/netlink-socket': 'Sockets',
  'sys/change-sender': 'Sockets',
  'sys/paced-sender': 'Sockets',
  'sys/tap': 'Devices',
  'sys/ethtool': 'Devices',
  'sys/fd': 'Descriptors',
  'sys/epoll': 'Waiting',
  'sys/watch': 'Waiting',
  'sys/thread': 'Threads and limits',
  'sys/clock': 'Clocks',
};

function categoryOf(file) {
  const path = file?.match(/src\/(.*)\.ts$/)?.[1];
  const title = TITLES[path] ?? TITLES[path?.split('/')[0]];
  if (title === undefined) throw new Error(`docs/typedoc.mjs has no category for ${file}`);
  return title;
}

class Context extends MarkdownThemeContext {
  constructor(...args) {
    super(...args);
    this.partials = { ...this.partials, signatureReturns: () => '' };
  }
}

class Theme extends MarkdownTheme {
  getRenderContext(page) {
    return new Context(this, page, this.application.options);
  }
}

export function load(app) {
  app.renderer.defineTheme('signatures', Theme);
  app.on(Application.EVENT_BOOTSTRAP_END, () =>
    app.options.setValue('categoryOrder', [...new Set(Object.values(TITLES))]),
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const { children = [] } of project.children)
      for (const reflection of children) {
        // What has no comment gets none here, or nobody would miss it.
        const target = [reflection, ...(reflection.signatures ?? [])].find((r) => r.comment);
        if (!target) continue;
        const text = categoryOf(project.getSymbolIdFromReflection(reflection)?.fileName);
        target.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text }]));
      }
  });
}
