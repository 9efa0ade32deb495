"""Models of what requests may have of the options, made of the marks on their fields. Pure."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from buildwright.core.limits import InRequest, Options, is_record, mark_of, marked


def narrowed(record: type[BaseModel], base: type[BaseModel], **instead: Any) -> type[BaseModel]:
    """Return a model of what requests may have of a record, within their bounds; `instead` replaces some fields."""
    fields: dict[str, Any] = {}
    for name, field in record.model_fields.items():
        if mark_of(field, InRequest) or (is_record(field.annotation) and any(marked(InRequest, field.annotation))):
            annotation = _narrowed(field, base)
            default = annotation() if field.default_factory else field.default
            fields[name] = annotation, Field(default, description=field.description)
    name = f"{record.__name__}Request"
    return create_model(name, __base__=base, __doc__=record.__doc__, **{**fields, **instead})


def _narrowed(field: FieldInfo, base: type[BaseModel]) -> Any:
    """Return the annotation of a field within the bounds of its mark. A record without such a mark stays whole."""
    inside: Any = field.annotation
    if is_record(inside):
        return narrowed(inside, base) if any(marked(InRequest, inside)) else inside
    if get_origin(inside) is tuple:
        inside = tuple[_narrowed(FieldInfo.from_annotation(get_args(inside)[0]), base), ...]  # type: ignore[misc]
    mark = mark_of(field, InRequest)
    bounds: dict[str, Any] = {} if mark is None else dict(mark.bounds)
    kept = [other for other in field.metadata if not any(hasattr(other, name) for name in bounds)]
    return Annotated[inside, *kept, Field(**bounds)]


def options_from(given: BaseModel) -> Options:
    """Return the options of a narrowed model of them. Only the given fields count as set."""
    return Options.model_validate(given.model_dump(exclude_unset=True, exclude_none=True))
