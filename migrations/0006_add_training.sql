-- How a model's weights were trained: recipe, pictures, and what came of it; null if not known.
alter table imgsim.model add column training jsonb;
