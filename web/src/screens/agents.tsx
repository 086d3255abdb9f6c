import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Agents(_: ScreenProps) {
  return <PageHead title="Agents" />;
}
