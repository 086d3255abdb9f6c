import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Flow(_: ScreenProps) {
  return <PageHead title="Flow" />;
}
