// Line icons of 20 units, drawn for Weir; they take the text's colour and are hidden from screen readers.
const kPaths = {
  flow: 'M2.5 6.500h4.500c3.5 0 3 7 6.5 7h4M2.5 10.500h2.500c2.5 0 2.5 4.5 4.5 5.500M13.5 6.500h4',
  consumers: 'M7 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM1.800 16.500c.4-3 2.400-4.700 5.200-4.700s4.800 1.700 5.200 4.700M13.300 4a3 3 0 0 1 0 5.300M14.800 12.200c1.900.6 3.100 2.100 3.400 4.300',
  refusals: 'M10 17.500a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM5 5l10 10',
  agents: 'M10 6.500v4M10 10.500c-5 0-5 2-5 3M10 10.500c5 0 5 2 5 3M10 6.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM5 17.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM15 17.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
  spend: 'M10 2.500v15M13.700 6.300C13.200 5 11.900 4.300 10 4.300c-2.300 0-3.800 1.100-3.800 2.800 0 4 7.800 1.700 7.800 5.700 0 1.800-1.600 3-4 3-2.200 0-3.700-.9-4.100-2.5',
  policy: 'M5 2.500h7l3.5 3.500v11.500H5zM11.5 2.500V6.500h4M7.5 10h5.500M7.5 13h5.5',
  health: 'M2 10.500h3.500l2-5.5 4 10.5 2.300-5H18',
  welcome: 'M10 2.500l1.900 5.100 5.100 1.900-5.100 1.900L10 16.500l-1.900-5.100L3 9.500l5.100-1.900z',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12ZM13.5 13.5 17.5 17.5',
  close: 'M5 5l10 10M15 5 5 15',
  menu: 'M3 5.500h14M3 10h14M3 14.500h14',
  copy: 'M7 7h9.500v9.500H7zM4.5 13H3.500V3.500H13v1',
  check: 'M4 10.500l4 4 8-9',
  pause: 'M7 4v12M13 4v12',
  play: 'M6 3.500v13l10-6.500z',
  left: 'M12.5 4.5 7 10l5.5 5.5',
  right: 'M7.5 4.5 13 10l-5.5 5.5',
  up: 'M5 12.5 10 7.500l5 5',
  down: 'M5 7.500l5 5 5-5',
  warning: 'M10 3 18 16.500H2zM10 8v4M10 14.200v.2',
  info: 'M10 17.500a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM10 9.200v4.600M10 6.300v.2',
  sun: 'M10 13.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 1.500v2M10 16.500v2M1.5 10h2M16.5 10h2M4 4l1.400 1.400M14.600 14.600 16 16M4 16l1.400-1.400M14.600 5.400 16 4',
  moon: 'M16.5 12A7 7 0 0 1 8 3.500a7 7 0 1 0 8.5 8.500Z',
  auto: 'M10 17.500a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM10 2.500v15M10 5l4.5 2.500M10 9l7 2.500M10 13l5 2',
  out: 'M8 3.500H3.500v13H8M8.5 10h9M14 6.500l3.5 3.5-3.5 3.5',
  plus: 'M10 4v12M4 10h12',
  reload: 'M16.5 10a6.5 6.5 0 1 1-2-4.700M16.5 2.500v4h-4',
  stop: 'M6.800 2.500h6.400l4.300 4.300v6.400l-4.300 4.300H6.800l-4.300-4.300V6.800zM7 10h6',
  table: 'M3 4h14v12H3zM3 8h14M3 12h14M9 8v8',
  chart: 'M3 3v14h14M6 13l3.5-4 3 2.500L17 6',
  edit: 'M12.5 4.500l3 3L7 16H4v-3zM10.5 6.500l3 3',
  bell: 'M5 14.500V9a5 5 0 0 1 10 0v5.500l1.5 1h-13zM8.5 17.500h3',
  tree: 'M4 3v12h5M4 8h5M12 6h5v4h-5zM12 13h5v4h-5z',
} as const;

export type IconName = keyof typeof kPaths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor"
      stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={kPaths[name]} />
    </svg>
  );
}
