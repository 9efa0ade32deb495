// Says to all of a page what the reader may not do to the build or project that it is about.
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { build, project } from "../api/queries";
import { Rights } from "../ui/Rights";

interface Props {
  readonly id: string;
  readonly children: ReactNode;
}

export function RightsInBuild({ id, children }: Props) {
  return <Rights refused={useQuery(build(id)).data?.refused}>{children}</Rights>;
}

export function RightsInProject({ id, children }: Props) {
  return <Rights refused={useQuery(project(id)).data?.refused}>{children}</Rights>;
}
