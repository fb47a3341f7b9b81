-- From which similarity on two pictures count as alike by a model where no threshold is given, and
-- where that number comes from; null if it was not measured for the model.
alter table imgsim.model
    add column threshold double precision not null default 0.94
        check (threshold > 0 and threshold <= 1),
    add column threshold_from text;

update imgsim.model m
set threshold = known.threshold, threshold_from = known.measured_on
from (values
    ('resnet18', 'IMAGENET1K_V1', 0.94, 'the original study'),
    ('resnet50', 'IMAGENET1K_V1', 0.94, 'the original study'),
    ('resnet18', 'resnet18-print', 0.77,
     'impressions in books not trained with: Wither 1635, Scottish chapbooks'),
    ('resnet50', 'resnet50-print', 0.84,
     'impressions in books not trained with: Wither 1635, Scottish chapbooks')
) as known (architecture, weights, threshold, measured_on)
where m.architecture = known.architecture and m.weights = known.weights;
